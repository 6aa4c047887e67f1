-- What the inviter writes to the person, and a lifetime of its own.
alter table invitations add column message {text};
alter table invitations add column expires_in {int};
