//! The kinds of sensitive value that we look for, by the names that rules and records use.

use serde::{Deserialize, Serialize};

/// A kind of sensitive value. Where Presidio knows the kind, it has Presidio's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names are the vocabulary")]
pub enum Entity {
    CreditCard,
    IbanCode,
    EmailAddress,
    IpAddress,
    UsSsn,
    Crypto,
    PhoneNumber,
    AwsAccessKey,
    GithubToken,
    SlackToken,
    OpenaiKey,
    AnthropicKey,
    GoogleApiKey,
    StripeKey,
    GitlabToken,
    NpmToken,
    PypiToken,
    HuggingfaceToken,
    TwilioKey,
    SendgridKey,
    PrivateKey,
    Jwt,
    DatabaseUrlPassword,
}

impl Entity {
    /// Every kind, in the order of the enum.
    pub const ALL: [Self; 23] = [
        Self::CreditCard,
        Self::IbanCode,
        Self::EmailAddress,
        Self::IpAddress,
        Self::UsSsn,
        Self::Crypto,
        Self::PhoneNumber,
        Self::AwsAccessKey,
        Self::GithubToken,
        Self::SlackToken,
        Self::OpenaiKey,
        Self::AnthropicKey,
        Self::GoogleApiKey,
        Self::StripeKey,
        Self::GitlabToken,
        Self::NpmToken,
        Self::PypiToken,
        Self::HuggingfaceToken,
        Self::TwilioKey,
        Self::SendgridKey,
        Self::PrivateKey,
        Self::Jwt,
        Self::DatabaseUrlPassword,
    ];

    /// The name in rules, records and placeholders: `US_SSN`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CreditCard => "CREDIT_CARD",
            Self::IbanCode => "IBAN_CODE",
            Self::EmailAddress => "EMAIL_ADDRESS",
            Self::IpAddress => "IP_ADDRESS",
            Self::UsSsn => "US_SSN",
            Self::Crypto => "CRYPTO",
            Self::PhoneNumber => "PHONE_NUMBER",
            Self::AwsAccessKey => "AWS_ACCESS_KEY",
            Self::GithubToken => "GITHUB_TOKEN",
            Self::SlackToken => "SLACK_TOKEN",
            Self::OpenaiKey => "OPENAI_KEY",
            Self::AnthropicKey => "ANTHROPIC_KEY",
            Self::GoogleApiKey => "GOOGLE_API_KEY",
            Self::StripeKey => "STRIPE_KEY",
            Self::GitlabToken => "GITLAB_TOKEN",
            Self::NpmToken => "NPM_TOKEN",
            Self::PypiToken => "PYPI_TOKEN",
            Self::HuggingfaceToken => "HUGGINGFACE_TOKEN",
            Self::TwilioKey => "TWILIO_KEY",
            Self::SendgridKey => "SENDGRID_KEY",
            Self::PrivateKey => "PRIVATE_KEY",
            Self::Jwt => "JWT",
            Self::DatabaseUrlPassword => "DATABASE_URL_PASSWORD",
        }
    }

    /// The kind of that name, written exactly as [`Entity::name`] writes it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|entity| entity.name() == name)
    }

    /// How sure a hit of this kind is: 1 where a checksum or a full parse stands behind it.
    #[must_use]
    pub fn score(self) -> f32 {
        match self {
            Self::CreditCard
            | Self::IbanCode
            | Self::EmailAddress
            | Self::Crypto
            | Self::GithubToken
            | Self::PrivateKey
            | Self::Jwt => 1.0,
            Self::IpAddress => 0.95,
            Self::UsSsn | Self::PhoneNumber | Self::DatabaseUrlPassword => 0.85,
            _ => 0.9,
        }
    }
}

impl std::fmt::Display for Entity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_agree_with_serde() {
        for entity in Entity::ALL {
            assert_eq!(Entity::parse(entity.name()), Some(entity));
            assert_eq!(serde_json::to_value(entity).unwrap(), entity.name());
        }
        assert_eq!(Entity::parse("us_ssn"), None);
    }
}
