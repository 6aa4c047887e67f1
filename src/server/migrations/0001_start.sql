-- Times are microseconds since 1970 in UTC. Ids are a prefix and a ULID, stable for life.

create table accounts (
  id text primary key,
  slug text not null unique,
  name text not null,
  profile text not null,
  disabled integer not null default 0,
  created_at integer not null,
  claim_installation text,
  claim_fingerprint text,
  over_limit_since integer,
  enforce_at integer,
  reinstate_at integer,
  position integer not null default 0,
  version integer not null default 1
) strict;

create table users (
  id text primary key,
  address text not null unique,
  name text not null,
  password_hash text,
  created_at integer not null
) strict;

create table sessions (
  hash text primary key,
  user_id text not null references users (id),
  expires_at integer not null
) strict;

create index sessions_by_user on sessions (user_id);

create table tokens (
  hash text primary key,
  id text not null unique,
  account_id text references accounts (id),
  scopes text not null,
  created_at integer not null,
  expires_at integer not null
) strict;

create table members (
  id text primary key,
  account_id text not null references accounts (id),
  address text not null,
  name text,
  role text not null,
  state text not null,
  added_at integer not null,
  joined_at integer not null,
  trimmed_at integer,
  external_ref text,
  ended_by text,
  ended_at integer,
  version integer not null default 1
) strict;

create unique index members_one_place on members (account_id, address) where state <> 'deleted';
create index members_by_account on members (account_id, state, id);
create index members_by_address on members (address, state);

create table invitations (
  id text primary key,
  account_id text not null references accounts (id),
  address text not null,
  role text not null,
  state text not null,
  inviter text not null,
  generation integer not null default 1,
  created_at integer not null,
  expires_at integer not null,
  last_sent_at integer not null,
  send_count integer not null default 1,
  delivery text not null default 'queued',
  last_mail text,
  external_ref text,
  version integer not null default 1
) strict;

create unique index invitations_one_pending on invitations (account_id, address)
  where state = 'pending';
create index invitations_by_account on invitations (account_id, state, id);
create index invitations_by_expiry on invitations (expires_at) where state = 'pending';

create table subscriptions (
  id text primary key,
  account_id text not null references accounts (id),
  plan text not null,
  state text not null,
  created_at integer not null,
  period_end integer not null,
  ends_at integer,
  version integer not null default 1
) strict;

create index subscriptions_by_account on subscriptions (account_id, state, id);
create index subscriptions_by_period on subscriptions (period_end) where state <> 'ended';

create table audit_events (
  id text primary key,
  account_id text not null references accounts (id),
  position integer not null,
  at integer not null,
  actor text not null,
  action text not null,
  subject text not null,
  before text,
  after text
) strict;

create unique index audit_events_one_position on audit_events (account_id, position);

create table answers (
  scope text not null,
  key text not null,
  fingerprint text not null,
  status integer not null,
  etag text,
  body text not null,
  created_at integer not null,
  primary key (scope, key)
) strict;

create index answers_by_age on answers (created_at);

create table outbox (
  id text primary key,
  account_id text references accounts (id),
  template text not null,
  subject text not null,
  address text not null,
  words text not null,
  state text not null default 'queued',
  created_at integer not null,
  sent_at integer
) strict;

create index outbox_waiting on outbox (id) where state in ('queued', 'sending');

create index outbox_by_address on outbox (address, template, created_at);
