//! What went wrong, as RFC 9457 problems for programs.

use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::store::StoreError;
use crate::domain::batch::BadBatch;

/// A problem: status, a sentence, and after how many seconds to try again, if that helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    retry_after: Option<u32>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)
    }
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
}

impl Problem {
    /// A problem that trying again will not mend.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), retry_after: None }
    }

    /// One source asks too often.
    pub fn too_often(retry_after: u32) -> Self {
        let detail = format!("too many requests from one address; try again in {retry_after} s");
        let retry_after = Some(retry_after);
        Self { status: StatusCode::TOO_MANY_REQUESTS, detail, retry_after }
    }

    /// A problem that passes.
    pub fn busy(detail: impl Into<String>, retry_after: u32) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { status, detail: detail.into(), retry_after: Some(retry_after) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            detail: &self.detail,
        };
        let json = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (self.status, json).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "store");
        Self::busy("the store cannot take this now; nothing of the request was kept", 5)
    }
}

impl From<BadBatch> for Problem {
    fn from(bad: BadBatch) -> Self {
        let status = match bad {
            BadBatch::Signature => StatusCode::UNAUTHORIZED,
            BadBatch::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(status, bad.to_string())
    }
}
