"""What schemathesis cannot know from the contract: tokens, rows that are there, names of a profile.

Only what fits its schema is replaced, and only by what fits it too: negative data stays as it was
made. Some of it is left alone, so that rows that are not there are asked for as well.
"""

import json
import os
import pathlib
import random
import re
import string
import urllib.error
import urllib.parse
import urllib.request
import uuid

import schemathesis
from schemathesis.generation.meta import TestPhase

BASE = os.environ["SEATKEEPER_URL"]
DOCUMENT = json.loads(pathlib.Path(os.environ["SEATKEEPER_CONTRACT"]).read_text())
VENDOR = "vendor-token-of-the-contract"
TOKENS = {slug: f"{slug}-token-of-the-contract" for slug in ("acme", "busy", "corp", "desk")}
# Personal tokens, of people of acme: some things are done in person only.
PERSONAL = [f"{name}-token-of-the-contract" for name in ("ada", "bea")]
LEAVING = [f"{name}-token-of-the-contract" for name in ("eve", "fay", "gus", "amy")]
# Where an operation is at home; acme, where nothing else is said. Plans change and people are
# trimmed in an account of their own: nobody is invited meanwhile.
HOMES = [
    (re.compile(r"/(trim|reinstate|subscriptions)\b|/access-requests\b"), "busy"),
    (re.compile(r"/(teams|suggestions|meters)\b"), "corp"),
    (re.compile(r"/(domains|join-requests|ownership-changes)\b|/batch$"), "desk"),
]
IN_PERSON = re.compile(r"/login-link$")
# Rows that an operation is for, by the end of its path.
WAITING = {"requested", "pending", "open", "waiting"}
FOR = {
    "login-link": {"granted"},
    "reinstate": {"trimmed"},
    "approve": WAITING,
    "reject": WAITING,
    "confirm": WAITING,
    "resend": WAITING | {"expired", "failed"},
}
KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")
WORD = re.compile(r"[a-z][a-z0-9.-]{0,62}")
ADDRESS = re.compile(r"[!-?A-~]{1,64}@[a-z0-9.-]{1,100}\.[a-z]{2,}")
ID = re.compile(r"[a-z]{3}_[0-9A-Z]{26}")

VISIBLE = [chr(code) for code in range(0x21, 0x7F)]

chance = random.Random(os.environ.get("SEATKEEPER_CHANCE", "0"))


def get(path, token):
    request = urllib.request.Request(BASE + path, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)
    except urllib.error.HTTPError:
        return {}


def post(path, token, body):
    send("POST", path, token, body)


def send(method, path, token, body, condition="If-Match"):
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Idempotency-Key": str(uuid.uuid4()),
        condition: "*",
    }
    data = json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data, headers, method=method)
    urllib.request.urlopen(request, timeout=10).close()


def parameters(path):
    return re.findall(r"\{(\w+)\}", path)


def lists():
    """Lists whose rows have a path of their own: path, and the parameter that names a row."""
    for path, item in DOCUMENT["paths"].items():
        below = {
            parameters(other)[-1]
            for other in DOCUMENT["paths"]
            if other.startswith(path + "/{") and len(parameters(other)) == len(parameters(path)) + 1
        }
        if "get" in item and len(below) == 1 and parameters(path) == ["account"]:
            yield path, below.pop()


class Words:
    """Names that the profile of an account has."""

    # Roles of one team, which an answer does not tell from those of the account.
    OF_TEAMS = {"team-admin", "member"}

    def __init__(self):
        self.rules = {}

    def named(self, name, slug):
        """Categories and meters of an account."""
        if (name, slug) not in self.rules:
            token = TOKENS[slug]
            if name == "meter":
                rows = get(f"/v1/accounts/{slug}", token)["usage"]
                self.rules[name, slug] = [row["meter"] for row in rows]
            else:
                rows = get(f"/v1/accounts/{slug}/notification-categories", token)["items"]
                self.rules[name, slug] = [row["name"] for row in rows]
        return self.rules[name, slug]

    def of(self, name, account, slug, case):
        if name == "profile":
            return ["nitropack", "catalogue"]
        if account not in self.rules:
            self.rules[account] = get(f"/v1/accounts/{account}/roles", TOKENS.get(account, VENDOR))
        rules = self.rules[account]
        if name == "permission":
            return sorted({word for row in rules.get("items", []) for word in row["permissions"]})
        rows = rules.get("items" if name == "role" else "plans", [])
        # What an account has without a subscription is no plan to pick.
        rows = [row for row in rows if row["name"] != "none"]
        if name == "role":
            row = row_of(case, slug)
            in_team = bool(case.body.get("team") or "/teams/" in case.path or row.get("team"))
            rows = [row for row in rows if (row["name"] in self.OF_TEAMS) == in_team]
            # Most of the time one that can be given.
            rare = 0 if case.path.endswith("/client-access") else 0.1
            rows = [row for row in rows if row["invitable"] or chance.random() < rare] or rows
        return [row["name"] for row in rows]


def row_of(case, slug):
    """The member or invitation that the path names."""
    row = re.match(r"/v1/accounts/\{account\}/(members|invitations)/\{(\w+)\}", case.path)
    if row is None:
        return {}
    named = (case.path_parameters or {}).get(row[2], "")
    known = (row for row in ROWS.known(slug) if row["id"] == named)
    path = f"/v1/accounts/{slug}/{row[1]}/{urllib.parse.quote(str(named), safe='')}"
    return next(known, None) or get(path, TOKENS[slug])


LISTS = list(lists())


class Rows:
    """Rows of an account by parameter, read anew now and then: tests end some of them."""

    def __init__(self):
        self.asked, self.rows = {}, {}

    def of(self, slug, parameter, under=""):
        """Rows of the list that the path `under` goes on from, else of the one with such rows."""
        paths = [path for path, name in LISTS if name == parameter]
        path = next((path for path in paths if under.startswith(path + "/")), None)
        key = (slug, path or next(iter(paths), None))
        if key[1] is None:
            return []
        if self.asked.setdefault(key, 0) % 20 == 0:
            self.rows[key] = self.read(slug, parameter, key[1])
        self.asked[key] += 1
        return self.rows[key]

    def known(self, slug):
        return [row for (other, _), rows in self.rows.items() if other == slug for row in rows]

    def read(self, slug, parameter, path):
        if parameter == "team" and slug == "corp" and (slug, path) not in self.rows:
            self.found(slug)
        if parameter == "invitation":
            self.invite(slug)
        if path.endswith("/access-requests") and slug == "busy":
            self.ask_for_access("owner@example.net")
        if path.endswith("/client-access") and slug == "acme":
            self.ask_for_access(f"{uuid.uuid4()}@example.net")
        path = path.replace("{account}", slug)
        rows = get(path + "?page_size=1000", TOKENS[slug]).get("items", [])
        if slug == "busy" and parameter == "member" and all(row["state"] == "active" for row in rows):
            self.trim(path, slug, rows[-1])
        return rows[-30:]

    def trim(self, path, slug, row):
        """Somebody who can be reinstated."""
        try:
            post(f"{path}/{row['id']}/trim", TOKENS[slug], {})
        except urllib.error.HTTPError:
            pass  # The product does not trim, or only the owner is left.

    def ask_for_access(self, email):
        """An agency's request that waits."""
        body = {"email": email, "role": "biller"}
        try:
            post("/v1/accounts/acme/client-access", TOKENS["acme"], body)
        except urllib.error.HTTPError:
            pass  # It waits already.

    def found(self, slug):
        """Two teams with a subscription."""
        plans = get(f"/v1/accounts/{slug}/subscriptions", TOKENS[slug])["items"]
        for name in ("Web", "Print"):
            body = {"name": name, "subscription": plans[0]["id"]}
            post(f"/v1/accounts/{slug}/teams", TOKENS[slug], body)

    def invite(self, slug):
        """Somebody who can be sent an invitation again."""
        body = {"email": f"{uuid.uuid4()}@example.com", "role": "developer"}
        try:
            post(f"/v1/accounts/{slug}/invitations", TOKENS[slug], body)
        except urllib.error.HTTPError:
            pass  # No seat is free, or there is no such role.


# An agency may ask clients for access: the vendor says which account is one.
send("PATCH", "/v1/accounts/acme", VENDOR, {"agency": True})
for account in TOKENS:
    send("PUT", f"/v1/accounts/{account}/client-state", TOKENS[account], {}, "If-None-Match")
ROWS = Rows()
WORDS = Words()


def kept():
    """What everything else rests on: the accounts of the seed, and the tokens that it made."""
    for slug, token in TOKENS.items():
        yield slug
        yield get(f"/v1/accounts/{slug}", token)["id"]
        for path, name in LISTS:
            if name == "token":
                rows = get(path.replace("{account}", slug), token).get("items", [])
                yield from (row["id"] for row in rows)


KEPT = set(kept())


def account_of(case):
    if any(token in bearer(case) for token in PERSONAL + LEAVING):
        return "acme"
    return next((slug for slug, token in TOKENS.items() if token in bearer(case)), None)


def home_of(case):
    if case.path.endswith("/members") and case.method.upper() == "POST":
        return "corp"
    return next((home for paths, home in HOMES if paths.search(case.path)), "acme")


def bearer(case):
    return (case.headers or {}).get("Authorization", "")


@schemathesis.auth(refresh_interval=None)
class Tokens:
    """The vendor opens accounts and sees those that it opened; each other account has its token."""

    def get(self, case, context):
        account = str((case.path_parameters or {}).get("account", ""))
        description = context.operation.definition.raw.get("description", "")
        if "{account}" not in case.path or "Neither for tokens" in description:
            return VENDOR
        if account in TOKENS:
            return TOKENS[account]
        if ID.fullmatch(account) and (is_linked(case) or chance.random() < 0.1):
            return VENDOR
        if chance.random() < 0.03:
            return VENDOR
        if IN_PERSON.search(case.path) and chance.random() < 0.9:
            return chance.choice(PERSONAL)
        if case.path.endswith("/leave") and chance.random() < 0.5:
            return chance.choice(LEAVING)
        return TOKENS[home_of(case) if chance.random() < 0.9 else "corp"]

    def set(self, case, data, context):
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schemathesis.hook
def before_call(context, case, kwargs):
    slug = account_of(case) or home_of(case)
    row = put_rows(case, slug)
    put_etag(case, row)
    put_key(case)
    put_cursor(case)
    put_position(case)
    put_words(case, slug)
    spare_what_is_kept(case)


def is_linked(case):
    """True if the rows come from earlier answers, and belong together."""
    return case.meta is not None and case.meta.phase.name == TestPhase.STATEFUL


def put_rows(case, slug):
    """Ids of rows that are there; gives the row."""
    row = None
    for name, value in list((case.path_parameters or {}).items()):
        value = str(value)
        if not KEY.fullmatch(value) or value in TOKENS or (ID.fullmatch(value) and is_linked(case)):
            continue
        if name == "account":
            if chance.random() < 0.97:
                case.path_parameters[name] = slug
            continue
        rows = ROWS.of(slug, name, case.path)
        wanted = FOR.get(case.path.rpartition("/")[2], set())
        rows = [row for row in rows if row.get("state") in wanted] or rows
        if name in ("category", "meter"):
            case.path_parameters[name] = chance.choice(WORDS.named(name, slug) or [value])
        elif rows and chance.random() < 0.9:
            row = chance.choice(rows)
            case.path_parameters[name] = row["id"]
    return row


def spare_what_is_kept(case):
    """Ends something that is not there instead."""
    named = parameters(case.path)[-1:]
    if case.method.upper() == "DELETE" and named and case.path.endswith("}"):
        if case.path_parameters.get(named[0]) in KEPT:
            case.path_parameters[named[0]] = "gone_" + "0" * 26


def put_etag(case, row):
    """An etag that fits, in place of one that only looks like one."""
    held = (case.headers or {}).get("If-Match")
    if held and re.fullmatch(r'(W/)?"[!#-+\--~]*"', held) and not re.match(r'"\d+', held):
        draw = chance.random()
        if draw < 0.5:
            case.headers["If-Match"] = "*"
        elif draw < 0.9 and row and "etag" in row:
            case.headers["If-Match"] = row["etag"]


def put_key(case):
    """A key that was not used before, of the same length."""
    held = (case.headers or {}).get("Idempotency-Key")
    if held and re.fullmatch(r"[!-~]{1,255}", held) and chance.random() < 0.95:
        case.headers["Idempotency-Key"] = "".join(chance.choices(VISIBLE, k=len(held)))


def put_cursor(case):
    """Cursors are opaque: what only looks like one is left out."""
    cursor = (case.query or {}).get("cursor")
    if isinstance(cursor, str) and re.fullmatch(r"[!-~]+", cursor):
        del case.query["cursor"]


def put_position(case):
    """A place in the feed that is there, and no long wait for what comes next."""
    query = case.query or {}
    if re.fullmatch(r"[0-9]{1,20}", str(query.get("after", ""))) and chance.random() < 0.9:
        query["after"] = chance.randrange(4)
    if re.fullmatch(r"1?[0-9]|2[0-5]", str(query.get("wait", ""))):
        query["wait"] = 0


def put_ids(body, slug):
    """Rows that are there; none where the account has none."""
    for name in ("team", "member", "owner", "subscription"):
        value = body.get(name)
        if isinstance(value, str) and KEY.fullmatch(value):
            rows = ROWS.of(slug, name)
            if rows:
                body[name] = chance.choice(rows)["id"]
            else:
                del body[name]


def letters(length):
    return "".join(chance.choices(string.ascii_lowercase, k=length))


def put_words(case, slug):
    """Names of the account's profile and its teams; names and addresses that are new."""
    if not isinstance(case.body, dict):
        return
    account = str((case.path_parameters or {}).get("account", slug))
    put_ids(case.body, slug)
    edits = case.body.get("members")
    for row in edits if isinstance(edits, list) else []:
        members = ROWS.of(slug, "member")
        if isinstance(row, dict) and KEY.fullmatch(str(row.get("id", ""))) and members:
            member = chance.choice(members)
            row["id"] = member["id"]
            if "etag" in row:
                row["etag"] = member["etag"]
    days = case.body.get("expires_in_days")
    if type(days) in (int, float) and 300 < days <= 366:
        case.body["expires_in_days"] = 300  # No token makes one that outlasts it.
    short = case.body.get("slug")
    if isinstance(short, str) and re.fullmatch("[a-z0-9-]{1,63}", short):
        case.body["slug"] = letters(max(8, len(short)))
    for name, email in case.body.items():
        if isinstance(email, str) and "email" in name and ADDRESS.fullmatch(email):
            local, domain = email.split("@")
            case.body[name] = f"{letters(max(8, len(local)))}@{domain}"
            if case.path.endswith("/members"):
                case.body[name] = chance.choice(ROWS.of(slug, "member"))["email"]
    for name in ("role", "plan", "profile", "permission"):
        value = case.body.get(name)
        if isinstance(value, str) and WORD.fullmatch(value):
            words = WORDS.of(name, account, slug, case)
            if words and value not in words:
                case.body[name] = chance.choice(words)
