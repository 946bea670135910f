//! Where the target is.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// The port that a Milvus listens on where the URI names none.
pub const DEFAULT_PORT: u16 = 19530;

/// Where the target is: the built-in one, or a Milvus by its URI. Parses what is written in a scenario and displays it
/// again; credentials do not belong in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// The practice target in the same process.
    Practice,
    /// A server.
    Remote {
        /// Whether the connection is encrypted.
        tls: bool,
        /// Name or IP address, without brackets.
        host: String,
        /// 1 to 65,535.
        port: u16,
    },
}

/// How the built-in target is written.
const PRACTICE: &str = "practice";

/// A URI that leads to no Milvus.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{shown}` is not a target: {why}; write \"practice\", \"http://localhost:19530\" or \"https://…\"")]
pub struct AddressError {
    shown: String,
    why: &'static str,
}

impl Address {
    /// The URI that a connection is made to; `None` for the built-in target, whose port is known when it listens.
    #[must_use]
    pub fn uri(&self) -> Option<String> {
        (*self != Self::Practice).then(|| self.to_string())
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text == PRACTICE {
            return Ok(Self::Practice);
        }
        // What stands before an @ may be a password: it is shown nowhere.
        let shown = || text.rsplit_once('@').map_or(text.to_owned(), |(_, host)| format!("…@{host}"));
        let wrong = |why| AddressError { shown: shown(), why };
        let uri: http::Uri = text.parse().map_err(|_| wrong("it is no URI"))?;
        let tls = match uri.scheme_str() {
            Some("http" | "tcp") => false,
            Some("https") => true,
            _ => return Err(wrong("it begins with neither http:// nor https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("credentials do not belong in it, name an environment variable in `token_env` instead"));
        }
        if uri.path_and_query().is_some_and(|path| path.as_str() != "/") {
            return Err(wrong("it has a path; a database is named by `database`"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(wrong("it names no host"));
        }
        let given = authority.as_str().rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
        let port = match given {
            None if tls => 443,
            None => DEFAULT_PORT,
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(|| wrong("its port is not from 1 to 65535"))?,
        };
        Ok(Self::Remote { tls, host, port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Practice => f.write_str(PRACTICE),
            Self::Remote { tls, host, port } => {
                let scheme = if *tls { "https" } else { "http" };
                if host.contains(':') { write!(f, "{scheme}://[{host}]:{port}") } else { write!(f, "{scheme}://{host}:{port}") }
            }
        }
    }
}

impl serde::Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Address {
    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "\"practice\" (built in), or a URI such as \"http://localhost:19530\" or \"https://milvus.example.org\".",
            "pattern": "^(practice|(https?|tcp)://[^/@]+/?)$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_back() {
        for (text, written) in [
            ("practice", "practice"),
            ("http://localhost:19530", "http://localhost:19530"),
            ("http://localhost/", "http://localhost:19530"),
            ("tcp://10.0.0.7:1", "http://10.0.0.7:1"),
            ("https://milvus.example.org", "https://milvus.example.org:443"),
            ("http://[::1]", "http://[::1]:19530"),
            ("http://[::1]:7", "http://[::1]:7"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), written, "{text}");
            assert_eq!(written.parse(), Ok(address), "{text}");
        }
    }

    #[test]
    fn what_leads_to_no_milvus_is_refused_with_its_reason() {
        for (text, why) in [
            ("localhost:19530", "neither http:// nor https://"),
            ("ftp://localhost", "neither http:// nor https://"),
            ("http://", "no URI"),
            ("", "no URI"),
            ("http://localhost:0", "port"),
            ("http://localhost:70000", "port"),
            ("http://localhost/db", "`database`"),
            ("Practice", "neither"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_password_in_the_uri_is_refused_and_not_repeated() {
        let error = "http://root:Milvus@localhost".parse::<Address>().unwrap_err().to_string();
        assert!(error.contains("token_env") && !error.contains("root") && !error.contains("Milvus@"), "{error}");
    }
}
