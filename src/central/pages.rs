//! Rendering the pages under `ui/web`, and the files they use.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use minijinja::value::{Kwargs, Serde};
use minijinja::{Environment, Value};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::config::Config;
use crate::domain::statistics::Interval;
use crate::texts::{Texts, fill};

/// Pages load their style and fonts from this service, and nothing from anywhere else.
const POLICY: &str = "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The pages, ready to be rendered.
pub struct Pages {
    templates: Environment<'static>,
}

impl Pages {
    /// Reads all templates; pages name what they use below `base`, such as `/DANHGIA`.
    ///
    /// # Errors
    /// A template that is not one; tests render every page.
    pub fn new(base: &str) -> Result<Self, minijinja::Error> {
        let mut templates = Environment::new();
        for (name, source) in [
            ("base.html", include_str!("../../ui/web/base.html")),
            ("faces.html", include_str!("../../ui/web/faces.html")),
            ("notice.html", include_str!("../../ui/web/notice.html")),
            ("phone.html", include_str!("../../ui/web/phone.html")),
            ("message.html", include_str!("../../ui/web/message.html")),
            ("public.html", include_str!("../../ui/web/public.html")),
            ("check.html", include_str!("../../ui/web/check.html")),
            ("roots.html", include_str!("../../ui/web/roots.html")),
            ("reports.html", include_str!("../../ui/web/reports.html")),
            ("summary.html", include_str!("../../ui/web/summary.html")),
            ("error.html", include_str!("../../ui/web/error.html")),
            ("forms.html", include_str!("../../ui/web/forms.html")),
            ("staff.html", include_str!("../../ui/web/staff.html")),
            ("sign-in.html", include_str!("../../ui/web/sign-in.html")),
            ("invited.html", include_str!("../../ui/web/invited.html")),
            ("account.html", include_str!("../../ui/web/account.html")),
            ("accounts.html", include_str!("../../ui/web/accounts.html")),
            ("fleet.html", include_str!("../../ui/web/fleet.html")),
            ("board.html", include_str!("../../ui/web/board.html")),
            ("improvements.html", include_str!("../../ui/web/improvements.html")),
            ("deliveries.html", include_str!("../../ui/web/deliveries.html")),
            ("directory.html", include_str!("../../ui/web/directory.html")),
            ("office.html", include_str!("../../ui/web/office.html")),
            ("rating-forms.html", include_str!("../../ui/web/rating-forms.html")),
            ("rating-form.html", include_str!("../../ui/web/rating-form.html")),
            ("paper.html", include_str!("../../ui/web/paper.html")),
            ("views.html", include_str!("../../ui/web/views.html")),
            ("bands.html", include_str!("../../ui/web/bands.html")),
            ("offices.html", include_str!("../../ui/web/offices.html")),
            ("own.html", include_str!("../../ui/web/own.html")),
        ] {
            templates.add_template(name, source)?;
        }
        templates.add_global("base", base);
        templates.add_filter("pct", |fraction: f64, t: Value| -> Result<_, minijinja::Error> {
            Ok(percent(fraction, &mark(&t, "decimal_mark")?))
        });
        templates.add_filter(
            "pct_range",
            |interval: Value, t: Value| -> Result<_, minijinja::Error> {
                let end = |name| interval.get_attr(name).and_then(f64::try_from);
                let interval = Interval { low: end("low")?, high: end("high")? };
                Ok(percent_range(&interval, &mark(&t, "decimal_mark")?))
            },
        );
        templates.add_filter("num", |n: i64, t: Value| -> Result<_, minijinja::Error> {
            Ok(number(n, &mark(&t, "thousands_mark")?))
        });
        templates.add_filter("fill", filled);
        templates
            .add_filter("hm", |moment: &str| moment.get(11..16).unwrap_or_default().to_owned());
        templates.add_filter("short_digest", |digest: &str| {
            let groups: Vec<&str> =
                [0..4, 4..8, 8..12].into_iter().filter_map(|range| digest.get(range)).collect();
            groups.join(" ")
        });
        Ok(Self { templates })
    }

    /// A page, never stored by browsers or caches on the way.
    pub fn page(&self, status: StatusCode, name: &str, context: impl Serialize) -> Response {
        let rendered = self
            .templates
            .get_template(name)
            .and_then(|template| template.render(Value::from(Serde(&context))));
        match rendered {
            Ok(html) => {
                let mut response = (status, Html(html)).into_response();
                for (header, value) in [
                    (header::CONTENT_SECURITY_POLICY, POLICY),
                    (header::CACHE_CONTROL, "no-store"),
                    (header::REFERRER_POLICY, "no-referrer"),
                    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                    (HeaderName::from_static("x-frame-options"), "DENY"),
                ] {
                    response.headers_mut().insert(header, HeaderValue::from_static(value));
                }
                response
            }
            Err(error) => {
                tracing::error!(page = name, %error, "page not rendered");
                (StatusCode::INTERNAL_SERVER_ERROR, "page not rendered").into_response()
            }
        }
    }
}

/// A file that the pages use.
pub fn file(name: &str) -> Option<Response> {
    let (kind, bytes): (&str, &'static [u8]) = match name {
        "style.css" => ("text/css; charset=utf-8", include_bytes!("../../ui/web/style.css")),
        "fonts/BeVietnamPro-Regular.ttf" => {
            ("font/ttf", include_bytes!("../../ui/kiosk/fonts/BeVietnamPro-Regular.ttf"))
        }
        "fonts/BeVietnamPro-Medium.ttf" => {
            ("font/ttf", include_bytes!("../../ui/kiosk/fonts/BeVietnamPro-Medium.ttf"))
        }
        "fonts/BeVietnamPro-SemiBold.ttf" => {
            ("font/ttf", include_bytes!("../../ui/kiosk/fonts/BeVietnamPro-SemiBold.ttf"))
        }
        "fonts/BeVietnamPro-Bold.ttf" => {
            ("font/ttf", include_bytes!("../../ui/kiosk/fonts/BeVietnamPro-Bold.ttf"))
        }
        _ => return None,
    };
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(kind).ok()?);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=86400"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Some(response)
}

/// How the page's language writes figures: one of the marks in its texts.
fn mark(texts: &Value, name: &str) -> Result<String, minijinja::Error> {
    Ok(texts.get_attr(name)?.to_string())
}

/// A text with what stands for its `{name}`s.
fn filled(text: String, values: Kwargs) -> Result<String, minijinja::Error> {
    values.args().try_fold(text, |text, name| {
        let value: Value = values.get(name)?;
        Ok(fill(&text, &[(name, &value)]))
    })
}

/// The language that a page was asked for in.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    /// Its code.
    pub lang: Option<String>,
}

impl Asked {
    /// Its texts, or those of the language of rest.
    pub fn texts<'a>(&self, config: &'a Config) -> &'a Texts {
        let all = &config.texts;
        let asked = self.lang.as_ref();
        // There is one at least.
        all.iter().find(|texts| Some(&texts.language) == asked).unwrap_or(&all[0])
    }
}

/// Whether an answer is for a person's eyes: a browser asks for a page, a program does not.
pub fn is_for_eyes(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// The languages that a page can be had in besides its own.
pub fn other_languages(config: &Config, texts: &Texts) -> serde_json::Value {
    let others = config.texts.iter().filter(|other| other.language != texts.language);
    others.map(|other| json!({ "code": other.language, "name": other.name })).collect()
}

/// 0.9225 → “92,3%”: one decimal, half up; nothing and all are “0%” and “100%”.
pub fn percent(fraction: f64, decimal_mark: &str) -> String {
    match (fraction * 1_000.0 + 0.5 + 1e-9).floor() as i64 {
        0 => "0%".to_owned(),
        1_000 => "100%".to_owned(),
        tenths => format!("{}{decimal_mark}{}%", tenths / 10, tenths % 10),
    }
}

/// “86,7–95,6%”.
pub fn percent_range(interval: &Interval, decimal_mark: &str) -> String {
    let low = percent(interval.low, decimal_mark);
    format!("{}–{}", low.trim_end_matches('%'), percent(interval.high, decimal_mark))
}

/// 9120 → “9.120”.
pub fn number(n: i64, thousands_mark: &str) -> String {
    let digits = n.abs().to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push_str(thousands_mark);
        }
        grouped.push(digit);
    }
    if n < 0 { format!("-{grouped}") } else { grouped }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_of_the_language_write_them() {
        assert_eq!(percent(0.9225, ","), "92,3%");
        assert_eq!(percent(0.9225, "."), "92.3%");
        assert_eq!(percent(1.0, ","), "100%");
        assert_eq!(percent(0.0, ","), "0%");
        let interval = Interval { low: 0.8666, high: 0.9562 };
        assert_eq!(percent_range(&interval, ","), "86,7–95,6%");
        assert_eq!(number(9_120, "."), "9.120");
        assert_eq!(number(9_120, ","), "9,120");
        assert_eq!(number(999, "."), "999");
        assert_eq!(number(1_234_567, "."), "1.234.567");
    }
}
