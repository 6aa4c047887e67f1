-- One text for both databases: {int} and {text} are the column types, {strict} ends a table.
-- Times are microseconds since 1970 in UTC, yes and no are 1 and 0. Ids are a prefix and a ULID,
-- stable for life. A team_id of '' is the account itself.

create table accounts (
  id {text} primary key,
  slug {text} not null,
  name {text} not null,
  profile {text} not null,
  disabled {int} not null default 0,
  agency {int} not null default 0,
  secure_sign_in_since {int},
  created_at {int} not null,
  deleted_at {int},
  claim_installation {text},
  claim_fingerprint {text},
  over_limit_since {int},
  enforce_at {int},
  reinstate_at {int},
  -- When the digest of changes for administrators is due, and from which position it tells.
  digest_at {int},
  digest_from {int} not null default 0,
  position {int} not null default 0,
  -- Entries up to here are gone from feed and audit log.
  forgotten {int} not null default 0,
  version {int} not null default 1
){strict};

create unique index accounts_one_slug on accounts (slug) where deleted_at is null;
create index accounts_to_enforce on accounts (enforce_at) where enforce_at is not null;
create index accounts_to_reinstate on accounts (reinstate_at) where reinstate_at is not null;
create index accounts_to_digest on accounts (digest_at) where digest_at is not null;

create table client_states (
  account_id {text} primary key references accounts (id),
  body {text} not null,
  version {int} not null
){strict};

-- Rows of a list by what it can be filtered by, so that no read has to count.
create table tallies (
  account_id {text} not null references accounts (id),
  list {text} not null,
  team_id {text} not null,
  principal {text} not null,
  role {text} not null,
  state {text} not null,
  entries {int} not null,
  primary key (account_id, list, team_id, principal, role, state)
){strict};

create table users (
  id {text} primary key,
  address {text} not null unique,
  name {text} not null,
  password_hash {text},
  -- email, email-2fa, google, github
  sign_in {text} not null default 'email',
  created_at {int} not null
){strict};

create table sessions (
  hash {text} primary key,
  user_id {text} not null references users (id),
  created_at {int} not null,
  expires_at {int} not null,
  -- Of a session that an agency's person has in a client's account.
  client_access_id {text}
){strict};

create index sessions_by_user on sessions (user_id);
create index sessions_by_client_access on sessions (client_access_id)
  where client_access_id is not null;
create index sessions_by_end on sessions (expires_at);

create table tokens (
  hash {text} primary key,
  id {text} not null unique,
  -- account, personal, vendor
  kind {text} not null,
  account_id {text} references accounts (id),
  name {text} not null,
  scopes {text} not null,
  -- Who made it; whose it is, of a personal one.
  made_by {text} not null,
  address {text},
  created_at {int} not null,
  expires_at {int} not null
){strict};

create index tokens_by_account on tokens (account_id, id);
create index tokens_by_end on tokens (expires_at);
create index tokens_by_person on tokens (address) where address is not null;

create table teams (
  id {text} primary key,
  account_id {text} not null references accounts (id),
  name {text} not null,
  external_ref {text},
  subscription_id {text},
  created_at {int} not null,
  version {int} not null default 1
){strict};

create index teams_by_account on teams (account_id, id);
create index teams_by_subscription on teams (account_id, subscription_id);
create unique index teams_one_reference on teams (account_id, external_ref)
  where external_ref is not null;

create table members (
  id {text} primary key,
  account_id {text} not null references accounts (id),
  team_id {text} not null default '',
  -- person, account
  principal {text} not null default 'person',
  address {text} not null,
  name {text},
  role {text} not null,
  state {text} not null,
  added_at {int} not null,
  joined_at {int} not null,
  trimmed_at {int},
  external_ref {text},
  ended_by {text},
  ended_at {int},
  client_access_id {text},
  version {int} not null default 1
){strict};

create unique index members_one_place on members (account_id, team_id, address)
  where principal = 'person' and state <> 'deleted';
-- Agencies have the addresses of their owners, who may own several.
create unique index members_one_agency on members (account_id, client_access_id)
  where principal = 'account' and state <> 'deleted';
create index members_by_account on members (account_id, id);
create index members_by_state on members (account_id, state, id);
create index members_by_team on members (account_id, team_id, id);
create index members_by_address on members (address, state);

create table invitations (
  id {text} primary key,
  account_id {text} not null references accounts (id),
  team_id {text} not null default '',
  address {text} not null,
  name {text},
  role {text} not null,
  state {text} not null,
  secure_sign_in {int} not null default 0,
  inviter {text} not null,
  generation {int} not null default 1,
  created_at {int} not null,
  expires_at {int} not null,
  last_sent_at {int} not null,
  send_count {int} not null default 1,
  delivery {text} not null default 'queued',
  last_mail {text},
  external_ref {text},
  version {int} not null default 1
){strict};

create unique index invitations_one_pending on invitations (account_id, team_id, address)
  where state = 'pending';
create index invitations_by_account on invitations (account_id, id);
create index invitations_by_state on invitations (account_id, state, id);
create index invitations_by_team on invitations (account_id, team_id, id);
create index invitations_by_mail on invitations (last_mail);
create index invitations_by_expiry on invitations (expires_at) where state = 'pending';
create index invitations_overdue on invitations (account_id, expires_at) where state = 'pending';

create table subscriptions (
  id {text} primary key,
  account_id {text} not null references accounts (id),
  plan {text} not null,
  -- requested, active, ending, ended
  state {text} not null,
  created_at {int} not null,
  period_end {int} not null,
  ends_at {int},
  end_told_at {int},
  version {int} not null default 1
){strict};

create index subscriptions_by_account on subscriptions (account_id, id);
create index subscriptions_running on subscriptions (account_id, state, id);
create index subscriptions_by_period on subscriptions (period_end) where state in ('active', 'ending');
create index subscriptions_to_tell on subscriptions (ends_at)
  where state = 'ending' and end_told_at is null;

create table suggestions (
  id {text} primary key,
  account_id {text} not null references accounts (id),
  team_id {text} not null,
  address {text} not null,
  name {text},
  role {text} not null,
  -- open, approved, rejected
  state {text} not null,
  suggested_by {text} not null,
  created_at {int} not null,
  version {int} not null default 1
){strict};

create index suggestions_by_state on suggestions (account_id, state, id);
create index suggestions_by_team on suggestions (account_id, team_id, state, id);
create unique index suggestions_one_open on suggestions (account_id, team_id, address)
  where state = 'open';

create table ownership_changes (
  id {text} primary key,
  account_id {text} not null references accounts (id),
  -- add, move
  kind {text} not null,
  role {text} not null,
  -- The owner who confirms, and the member who is to become one.
  owner_id {text} not null,
  candidate_id {text} not null,
  -- unconfirmed, unaccepted, done, cancelled, declined, expired
  state {text} not null,
  requested_by {text} not null,
  generation {int} not null default 1,
  created_at {int} not null,
  expires_at {int} not null,
  ended_at {int},
  version {int} not null default 1
){strict};

create index ownership_changes_by_account on ownership_changes (account_id, id);
create unique index ownership_changes_one_open on ownership_changes (account_id)
  where state in ('unconfirmed', 'unaccepted');
create index ownership_changes_by_expiry on ownership_changes (expires_at)
  where state in ('unconfirmed', 'unaccepted');

create table client_accesses (
  id {text} primary key,
  -- The agency, and the client once it has approved.
  account_id {text} not null references accounts (id),
  client_id {text} references accounts (id),
  address {text} not null,
  role {text} not null,
  -- requested, granted, rejected, removed, ended
  state {text} not null,
  member_id {text},
  requested_by {text} not null,
  generation {int} not null default 1,
  created_at {int} not null,
  last_sent_at {int} not null,
  send_count {int} not null default 1,
  delivery {text} not null default 'queued',
  last_mail {text},
  granted_at {int},
  ended_at {int},
  external_ref {text},
  -- Role that the agency had when its log was last written.
  noted_role {text},
  -- Whether the client changed the agency's place since.
  moved {int} not null default 0,
  version {int} not null default 1
){strict};

create index client_accesses_by_account on client_accesses (account_id, id);
create index client_accesses_by_client on client_accesses (client_id, state, id);
create index client_accesses_requested on client_accesses (address) where state = 'requested';
create index client_accesses_by_mail on client_accesses (last_mail);
create unique index client_accesses_one_open on client_accesses (account_id, address)
  where state in ('requested', 'granted');
create index client_accesses_moved on client_accesses (account_id) where moved = 1;

create table login_links (
  id {text} primary key,
  client_access_id {text} not null references client_accesses (id),
  address {text} not null,
  expires_at {int} not null,
  used_at {int}
){strict};

create index login_links_by_end on login_links (expires_at);

create table websites (
  id {text} primary key,
  account_id {text} not null references accounts (id),
  url {text} not null,
  -- connected, not-connected, major-issue
  state {text} not null,
  created_at {int} not null,
  version {int} not null default 1
){strict};

create index websites_by_account on websites (account_id, id);
create unique index websites_one_url on websites (account_id, url);

create table meter_usages (
  account_id {text} not null references accounts (id),
  -- '' where the meter is counted for the whole account.
  subscription_id {text} not null,
  meter {text} not null,
  used {int} not null,
  -- Highest threshold that was told of, in percent.
  told {int} not null default 0,
  version {int} not null default 1,
  primary key (account_id, subscription_id, meter)
){strict};

create table domains (
  id {text} primary key,
  account_id {text} not null references accounts (id),
  name {text} not null,
  challenge {text} not null,
  -- pending, verified, lapsed
  state {text} not null,
  auto_join {int} not null default 0,
  created_at {int} not null,
  verified_at {int},
  -- When the DNS last answered, when it is asked again, and how often in a row the record was gone.
  checked_at {int},
  check_at {int},
  missing {int} not null default 0,
  version {int} not null default 1
){strict};

create index domains_by_account on domains (account_id, id);
create unique index domains_one_name on domains (account_id, name);
create unique index domains_one_account on domains (name) where state = 'verified';
create index domains_by_check on domains (check_at) where state = 'verified';

-- People who signed up and are to join by their domain. No reference to the account: a sign-up must
-- not wait for it.
create table arrivals (
  address {text} primary key,
  account_id {text} not null,
  created_at {int} not null
){strict};

create index arrivals_by_account on arrivals (account_id, created_at);

create table join_requests (
  id {text} primary key,
  account_id {text} not null references accounts (id),
  -- Its name: requests outlive the row of the domain.
  domain {text} not null,
  address {text} not null,
  name {text} not null,
  -- open, approved, rejected
  state {text} not null,
  created_at {int} not null,
  version {int} not null default 1
){strict};

create index join_requests_by_account on join_requests (account_id, state, id);
create unique index join_requests_one_open on join_requests (account_id, address)
  where state = 'open';

create table recipients (
  account_id {text} not null references accounts (id),
  category {text} not null,
  member_id {text} not null references members (id),
  primary key (account_id, category, member_id)
){strict};

create table notes (
  account_id {text} not null references accounts (id),
  member_id {text} not null references members (id),
  author {text} not null,
  body {text} not null,
  edited_at {int} not null,
  primary key (account_id, member_id, author)
){strict};

create table audit_events (
  id {text} primary key,
  account_id {text} not null references accounts (id),
  position {int} not null,
  at {int} not null,
  actor {text} not null,
  action {text} not null,
  subject {text} not null,
  before {text},
  after {text}
){strict};

create unique index audit_events_one_position on audit_events (account_id, position);
create index audit_events_by_age on audit_events (at);

create table answers (
  scope {text} not null,
  key {text} not null,
  fingerprint {text} not null,
  status {int} not null,
  etag {text},
  -- Null if the answer held a secret.
  body {text},
  created_at {int} not null,
  primary key (scope, key)
){strict};

create index answers_by_age on answers (created_at);

create table outbox (
  id {text} primary key,
  account_id {text} references accounts (id),
  template {text} not null,
  subject {text} not null,
  address {text} not null,
  words {text} not null,
  -- queued, sending, sent, unknown, failed, dropped
  state {text} not null default 'queued',
  created_at {int} not null,
  not_before {int} not null default 0,
  claimed_by {text},
  claimed_until {int},
  attempts {int} not null default 0,
  last_error {text},
  sent_at {int}
){strict};

create index outbox_waiting on outbox (not_before, id) where state in ('queued', 'sending');
create index outbox_done on outbox (created_at)
  where state in ('sent', 'unknown', 'failed', 'dropped');
create index outbox_by_account on outbox (account_id, template, created_at);
create index outbox_by_address on outbox (address, template, created_at);
