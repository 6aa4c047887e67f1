//! The record that the account service keeps for who manages an account: JSON that it does not read.

use http::Method;
use http::header::ETAG;

use crate::backend::BackendError;
use crate::backend::account_api::{AccountApi, asked};
use crate::backend::call::Call;
use crate::domain::keys::{AccountKey, ETag};
use crate::wire::MAX_BODY;

impl AccountApi {
    /// Reads the record with its version; `None`: there is none yet.
    ///
    /// # Errors
    ///
    /// The service did not give it.
    pub async fn client_state(
        &self,
        account: &AccountKey,
    ) -> Result<Option<(Vec<u8>, ETag)>, BackendError> {
        let call = Call::new(Method::GET, path(account)?);
        match self.send(call).await {
            Ok(response) => {
                let etag = etag(&response)?;
                Ok(Some((response.into_body(), etag)))
            }
            // That the account itself is not there shows in the look that follows.
            Err(BackendError::NoSuchAccount) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the record whole if it is still at `expected` (`None`: not there); gives its version. One
    /// that is too large is not sent: the service may hang up before its answer is read.
    ///
    /// # Errors
    ///
    /// The service did not take it, or its answer was lost.
    pub async fn put_client_state(
        &self,
        account: &AccountKey,
        body: Vec<u8>,
        expected: Option<&ETag>,
    ) -> Result<ETag, BackendError> {
        if body.len() > MAX_BODY {
            return Err(BackendError::Rejected { code: "body-too-large".to_owned() });
        }
        let call = Call::new(Method::PUT, path(account)?).body(body);
        let call = match expected {
            Some(etag) => call.if_match(etag),
            None => call.first(),
        };
        etag(&self.send(call).await?)
    }
}

fn path(account: &AccountKey) -> Result<String, BackendError> {
    Ok(format!("/v1/accounts/{}/client-state", asked(account)?))
}

fn etag(response: &http::Response<Vec<u8>>) -> Result<ETag, BackendError> {
    let etag = response.headers().get(ETAG).and_then(|value| value.to_str().ok());
    etag.map(ETag::from).ok_or(BackendError::Malformed { what: "a record without a version" })
}
