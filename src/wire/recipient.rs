//! Categories of mail and their recipients.
