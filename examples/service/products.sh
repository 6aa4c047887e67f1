# shellcheck shell=bash
# One account of each product, from seed.yaml.example: what is declared beside what is there, and what
# its people do. Sourced after story.sh.

SEED=$(realpath "$(dirname "${BASH_SOURCE[0]}")/seed.yaml.example")
PRODUCTS=(northwind droplets licences shelves club)
VENDOR=$(awk '/vendorTokens:/ { getline; print $3 }' "$SEED")

# enter ACCOUNT: from here on it is the one that is looked at.
enter() {
    ACCOUNT=$1
    TOKEN=$(sed -n "/slug: $1$/,/token: /s/.*token: \([^,]*\),.*/\1/p" "$SEED")
    FOLDER=git-$ACCOUNT
    mkdir -p "$WORK/secrets/$ACCOUNT-token"
    printf '%s' "$TOKEN" >"$WORK/secrets/$ACCOUNT-token/token"
}
# Writes manifests of the account as it is.
import_account() {
    say "\$ seatkeeper import --account $ACCOUNT --output-dir $FOLDER …"
    (cd "$WORK" && "$BINARY" import --url "$SERVICE" --account "$ACCOUNT" --name "$ACCOUNT" --namespace web \
        --token-file "secrets/$ACCOUNT-token/token" --output-dir "$FOLDER") >"$WORK/out" 2>&1 || fail "$(cat "$WORK/out")"
    sed 's/^/   | /' "$WORK/out"
    grep -q '^checked: even mode Exclusive would change nothing' "$WORK/out" || fail "the import asks for something"
}
# object KIND NAME SPEC
object() {
    printf -- '---\napiVersion: seatkeeper.dev/v1alpha1\nkind: %s\nmetadata: {name: %s, namespace: web}\nspec: {%s}\n' "$@"
}
person() { object Membership "$1" "teamRef: {name: $ACCOUNT}, email: $1@example.com, role: $2"; }

# What each account declares beside what is there.
declare_more() {
    case $ACCOUNT in
    northwind)
        person nils biller
        object NotificationSubscription usage \
            "teamRef: {name: northwind}, category: usage, recipients: [{email: dev@example.com}, {email: nils@example.com}]"
        object ClientAccess ben "accountRef: {name: northwind}, clientEmail: ben@example.com, role: developer"
        ;;
    droplets) person dirk modifier ;;
    licences) person lea member && person lou member ;;
    shelves)
        object Team print "accountRef: {name: shelves}, displayName: Print, subscription: $(subscription), roster: [\
{email: tom@example.com, role: member}, {email: sven@example.com, role: member}]"
        ;;
    club) person carl member ;;
    esac >"$WORK/$FOLDER/more.yaml"
    case $ACCOUNT in
    droplets) sed -i '/bill@example.com/,/role:/s/role: .*/role: owner/' "$WORK/$FOLDER/team.yaml" ;;
    esac
}
subscription() { api GET /subscriptions | jq -r '.items[0].id'; }
# Who is invited, and how many mails of other kinds go out at once.
invited() {
    case $ACCOUNT in
    northwind) echo nils ;;
    droplets) echo dirk ;;
    licences) echo lea lou ;;
    shelves) echo sven ;;
    club) echo carl ;;
    esac
}
# What people do with their mails.
they_answer() {
    local name
    for name in $(invited); do
        accept "$name" "name=$name" "password=$PASSWORD"
        say "$name signed up through the link"
    done
    case $ACCOUNT in
    northwind)
        presses ben access-requested approve "name=Bakery"
        say "ben opened an account of his own and let the agency in"
        ;;
    droplets)
        presses dora ownership-confirm accept
        presses bill ownership-accept accept
        say "dora confirmed, then bill accepted"
        ;;
    esac
}
# presses PERSON KIND BUTTON FIELD…: signs in and answers the last mail of a kind.
presses() {
    local person=$1 kind=$2 button=$3 link
    shift 3
    until_true 20 has_mail "$kind" "$person" || fail "no $kind to $person"
    link=$(link_to "$kind" "$person@example.com")
    submit "$person" "$SERVICE/signin" /signin "email=$person@example.com" "password=$PASSWORD"
    submit "$person" "$link" "${link#"$SERVICE"}/$button" "$@"
}
has_mail() { grep -qil "^to: .*$2@example.com" "$WORK/data/spool"/*"$1"*.eml 2>/dev/null; }
profile() { api GET "" | jq -r .profile; }
# The place of a person, in a team where there are many.
place() { api GET "/members?page_size=1000" | jq -r --arg email "$1@example.com" '[.items[] | select(.email == $email) | "\(.role) \(.state)"] | sort | join(", ")'; }
# What is to be seen in the end.
check_account() {
    local name
    for name in $(invited); do
        [[ $(place "$name") == *" active" ]] || fail "$name: $(place "$name")"
        say "$name: $(place "$name")"
    done
    case $ACCOUNT in
    northwind)
        expect "the client" "granted developer" "$(api GET /client-access | jq -r '.items[] | "\(.state) \(.role_held)"')"
        expect "recipients of usage" 2 "$(api GET /notification-categories | jq '[.items[] | select(.name == "usage").recipients[] | select(.chosen)] | length')"
        ;;
    droplets) expect "bill" "owner active" "$(place bill)" ;;
    licences) expect "seats" "4/10" "$(api GET /seats | jq -r '"\(.used)/\(.limit)"')" ;;
    shelves) expect "tom, added at once to his second team" "member active, team-admin active" "$(place tom)" ;;
    esac
}
# The agency's flag is the vendor's to set.
make_agency() { AS=$VENDOR api PATCH "" -H 'If-Match: *' -d '{"agency": true}' >/dev/null; }
