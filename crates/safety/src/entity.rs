//! The kinds of sensitive value that we look for, by the names that rules and records use: one table, a row per
//! kind.

use serde::{Deserialize, Serialize};

/// What sort of value a kind is, which says whose rules it falls under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Who somebody is, or how to reach them.
    Personal,
    /// What a patient is known by.
    Health,
    /// Cards and accounts.
    Payment,
    /// What opens a door.
    Secret,
}

/// What it takes to be sure of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Its own form and checksum decide.
    Form,
    /// A word or a key beside it has to say so as well.
    Label,
    /// Cues and shapes; there is no rule that a value must keep.
    Shape,
}

/// A row of the table.
struct Facts {
    name: &'static str,
    tier: Tier,
    score: f32,
    rule: &'static str,
}

macro_rules! entities {
    ($($variant:ident $name:literal $class:ident $tier:ident $score:literal $rule:literal)*) => {
        /// A kind of sensitive value. Where Presidio knows the kind, it has Presidio's name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "the names are the vocabulary")]
        pub enum Entity {
            $(#[serde(rename = $name)] $variant,)*
            /// A kind that an installation defines, or another analyser names.
            #[serde(untagged)]
            Custom(crate::Custom),
        }

        impl Entity {
            /// Every kind, in the order of the enum.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// The kind of that name, written exactly as [`Entity::name`] writes it.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// What sort of value it is.
            #[must_use]
            pub fn class(self) -> Class {
                match self {
                    $(Self::$variant => Class::$class,)*
                    Self::Custom(custom) => custom.class(),
                }
            }

            fn facts(self) -> Facts {
                match self {
                    $(Self::$variant => Facts {
                        name: $name,
                        tier: Tier::$tier,
                        score: $score,
                        rule: $rule,
                    },)*
                    Self::Custom(custom) => Facts {
                        name: custom.name(),
                        tier: Tier::Form,
                        score: 0.9,
                        rule: "own pattern",
                    },
                }
            }
        }
    };
}

// Name, class, tier, how sure a hit is (1 where a checksum or a full parse stands behind it), what decides.
entities! {
    CreditCard "CREDIT_CARD" Payment Form 1.0 "prefix and length of a network, Luhn"
    Cvv "CVV" Payment Label 0.9 "three or four digits"
    CardExpiry "CARD_EXPIRY" Payment Label 0.85 "a month and a year"
    IbanCode "IBAN_CODE" Payment Form 1.0 "length of a country, modulo 97"
    AbaRouting "ABA_ROUTING" Payment Label 0.95 "Federal Reserve prefix, weights 3-7-1"
    UsBankNumber "US_BANK_NUMBER" Payment Label 0.85 "6 to 17 digits"
    SwiftCode "SWIFT_CODE" Payment Label 0.9 "bank, country and place"
    Crypto "CRYPTO" Payment Form 1.0 "checksum of its chain"
    EmailAddress "EMAIL_ADDRESS" Personal Form 1.0 "RFC 5321 form, top-level domain"
    PhoneNumber "PHONE_NUMBER" Personal Form 0.85 "numbering plan of a country"
    IpAddress "IP_ADDRESS" Personal Form 0.95 "parses as an address"
    MacAddress "MAC_ADDRESS" Personal Form 0.95 "six pairs of hexadecimal digits"
    Person "PERSON" Personal Shape 0.8 "shape of a name beside a cue"
    Address "ADDRESS" Personal Shape 0.8 "number and street"
    DateOfBirth "DATE_OF_BIRTH" Personal Label 0.95 "a day of the calendar"
    Age "AGE" Personal Label 0.85 "an age above 89"
    UsSsn "US_SSN" Personal Form 0.85 "area, group and serial as issued"
    UsItin "US_ITIN" Personal Label 0.9 "9, and a group as issued"
    UsPassport "US_PASSPORT" Personal Label 0.9 "nine digits, or a letter and eight"
    Passport "PASSPORT" Personal Label 0.85 "seven to nine letters and digits of a passport"
    UsDriverLicense "US_DRIVER_LICENSE" Personal Label 0.85 "the form of a state"
    LicensePlate "LICENSE_PLATE" Personal Label 0.85 "letters and digits of a plate"
    Vin "VIN" Personal Label 0.95 "17 characters, check digit"
    Imei "IMEI" Personal Label 0.95 "15 digits, Luhn"
    DeviceSerial "DEVICE_SERIAL" Personal Label 0.8 "letters and digits of a serial number"
    UkNino "UK_NINO" Personal Label 0.9 "prefix and suffix as issued"
    UkUtr "UK_UTR" Personal Label 0.9 "ten digits, modulo 11"
    DeTaxId "DE_TAX_ID" Personal Label 0.95 "one digit repeated, ISO 7064 modulo 11, 10"
    FrNir "FR_NIR" Personal Form 1.0 "sex, month, department, modulo 97"
    EsNif "ES_NIF" Personal Label 0.95 "control letter"
    EsNie "ES_NIE" Personal Form 0.95 "control letter"
    ItFiscalCode "IT_FISCAL_CODE" Personal Form 1.0 "positions, control letter"
    PlPesel "PL_PESEL" Personal Label 0.95 "a day of birth, check digit"
    NlBsn "NL_BSN" Personal Label 0.95 "eleven test"
    SePersonnummer "SE_PERSONNUMMER" Personal Label 0.95 "a day of birth, Luhn"
    FiPersonalIdentityCode "FI_PERSONAL_IDENTITY_CODE" Personal Form 1.0 "a day of birth, modulo 31"
    DkCpr "DK_CPR" Personal Label 0.9 "a day of birth"
    NoFodselsnummer "NO_FODSELSNUMMER" Personal Form 1.0 "a day of birth, two check digits"
    BeNationalNumber "BE_NATIONAL_NUMBER" Personal Form 0.95 "a day of birth, modulo 97"
    ChAhv "CH_AHV" Personal Form 0.95 "756, check digit of EAN-13"
    CaSin "CA_SIN" Personal Label 0.9 "nine digits, Luhn"
    BrCpf "BR_CPF" Personal Form 0.95 "two check digits"
    InAadhaar "IN_AADHAAR" Personal Label 0.95 "twelve digits, Verhoeff"
    AuTfn "AU_TFN" Personal Label 0.9 "nine digits, modulo 11"
    MedicalRecordNumber "MEDICAL_RECORD_NUMBER" Health Label 0.9 "letters and digits of a record number"
    MemberId "MEMBER_ID" Health Label 0.85 "letters and digits of a member number"
    UsNpi "US_NPI" Health Label 0.95 "ten digits, Luhn behind 80840"
    UsMbi "US_MBI" Health Form 0.95 "eleven positions of their classes"
    MedicalLicense "MEDICAL_LICENSE" Health Label 0.95 "registrant letters, check digit"
    UkNhs "UK_NHS" Health Label 0.95 "ten digits, modulo 11"
    AdmissionDate "ADMISSION_DATE" Health Label 0.9 "a day of the calendar"
    DischargeDate "DISCHARGE_DATE" Health Label 0.9 "a day of the calendar"
    DateOfDeath "DATE_OF_DEATH" Health Label 0.9 "a day of the calendar"
    AwsAccessKey "AWS_ACCESS_KEY" Secret Form 0.9 "prefix and length"
    AwsSecretKey "AWS_SECRET_KEY" Secret Label 0.9 "40 characters of base64"
    GithubToken "GITHUB_TOKEN" Secret Form 1.0 "prefix, CRC-32"
    SlackToken "SLACK_TOKEN" Secret Form 0.9 "prefix and form"
    OpenaiKey "OPENAI_KEY" Secret Form 0.9 "prefix and form"
    AnthropicKey "ANTHROPIC_KEY" Secret Form 0.9 "prefix and form"
    GoogleApiKey "GOOGLE_API_KEY" Secret Form 0.9 "prefix and length"
    StripeKey "STRIPE_KEY" Secret Form 0.9 "prefix and form"
    GitlabToken "GITLAB_TOKEN" Secret Form 0.9 "prefix and form"
    NpmToken "NPM_TOKEN" Secret Form 0.9 "prefix and length"
    PypiToken "PYPI_TOKEN" Secret Form 0.9 "prefix and form"
    HuggingfaceToken "HUGGINGFACE_TOKEN" Secret Form 0.9 "prefix and form"
    TwilioKey "TWILIO_KEY" Secret Form 0.9 "prefix and length"
    SendgridKey "SENDGRID_KEY" Secret Form 0.9 "prefix and segments"
    PrivateKey "PRIVATE_KEY" Secret Form 1.0 "PEM block"
    Jwt "JWT" Secret Form 1.0 "header with an algorithm"
    DatabaseUrlPassword "DATABASE_URL_PASSWORD" Secret Form 0.85 "user part of a database's URL"
    Password "PASSWORD" Secret Label 0.85 "a value that is no placeholder"
    GenericSecret "GENERIC_SECRET" Secret Label 0.8 "entropy of a value that is no name"
}

impl Entity {
    /// The name in rules, records and placeholders: `US_SSN`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// What it takes to be sure.
    #[must_use]
    pub fn tier(self) -> Tier {
        self.facts().tier
    }

    /// How sure a hit of this kind is: 1 where a checksum or a full parse stands behind it.
    #[must_use]
    pub fn score(self) -> f32 {
        self.facts().score
    }

    /// What decides that a value is of this kind, for people who ask why.
    #[must_use]
    pub fn rule(self) -> &'static str {
        self.facts().rule
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
