//! What is found, and what is not: a text per line, hits shown by kind.

use insta::assert_snapshot;

use super::*;

/// The text with each hit shown as `[KIND]`. A `¦` is left out first: it keeps the texts of this file from
/// looking like live secrets to those who scan repositories.
fn check(text: &str) -> String {
    let text = text.replace('¦', "");
    let mut shown = String::new();
    let mut copied = 0;
    for span in Scanner::new().scan(&text) {
        shown.push_str(&text[copied..span.start]);
        shown.push_str(&format!("[{}]", span.entity));
        copied = span.end;
    }
    shown + &text[copied..]
}

/// The same, each line a text of its own.
fn lines(text: &str) -> String {
    text.trim().lines().map(|line| check(line.trim()) + "\n").collect()
}

#[test]
fn cards() {
    assert_snapshot!(lines("
        visa 4111111111111111, 4222222222222 and 4111 1111 1111 1111.
        mastercard 5555-5555-5555-4444, 2-series 2223003122003222
        amex 378282246310005, 3782 822463 10005 and 3782-822463-10005
        diners 30569309025904 and 3056 930902 5904; jcb 3530111333300000
        discover 6011111111111117; unionpay 6200000000000005; mir 2200000000000004
        19 digits 6212345678901232 0 and maestro 6759649826438453
        with code 4111 1111 1111 1111 123, expiry 4111 1111 1111 1111 12/27 or 4111 1111 1111 1111 1227
        file statement_4111111111111111.pdf, card-4111111111111111.txt, /pay/4111111111111111/x?c=4111111111111111
        卡号4111111111111111。 \"4111111111111111\" 4111111111111111.0 4111\u{a0}1111\u{a0}1111\u{a0}1111
        4111\u{2011}1111\u{2011}1111\u{2011}1111 nested \\n4111111111111111 url %204111111111111111
    "), @r#"
        visa [CREDIT_CARD], [CREDIT_CARD] and [CREDIT_CARD].
        mastercard [CREDIT_CARD], 2-series [CREDIT_CARD]
        amex [CREDIT_CARD], [CREDIT_CARD] and [CREDIT_CARD]
        diners [CREDIT_CARD] and [CREDIT_CARD]; jcb [CREDIT_CARD]
        discover [CREDIT_CARD]; unionpay [CREDIT_CARD]; mir [CREDIT_CARD]
        19 digits [CREDIT_CARD] 0 and maestro [CREDIT_CARD]
        with code [CREDIT_CARD] 123, expiry [CREDIT_CARD] [CARD_EXPIRY] or [CREDIT_CARD] 1227
        file statement_[CREDIT_CARD].pdf, card-[CREDIT_CARD].txt, /pay/[CREDIT_CARD]/x?c=[CREDIT_CARD]
        卡号[CREDIT_CARD]。 "[CREDIT_CARD]" [CREDIT_CARD].0 [CREDIT_CARD]
        [CREDIT_CARD] nested \n[CREDIT_CARD] url %20[CREDIT_CARD]
    "#);
}

#[test]
fn no_cards() {
    assert_snapshot!(lines("
        luhn fails 4111111111111112, 4111 1111 1111 1112
        luhn without a network 1234567812345670, 9999999999999995, 79927398713
        longer 41111111111111111111, 411111111111111100000, 4111-1111-1111-1111-2222
        in a token a4111111111111111, 4111111111111111f, 0x4111111111111111
        fraction 0.4111111111111111, 4111111111111111.25
        wrong length 37828224631000, 55555555555544
        4-digit rows 1999 4111 1111 1111 1111 2222 3333
        ids 1732156800000 1732156800000000000 175928847299117063
        uuid 4f11a111-4111-4111-8111-411111111111
    "), @r"
        luhn fails 4111111111111112, 4111 1111 1111 1112
        luhn without a network 1234567812345670, 9999999999999995, 79927398713
        longer 41111111111111111111, 411111111111111100000, 4111-1111-1111-1111-2222
        in a token a4111111111111111, 4111111111111111f, 0x4111111111111111
        fraction 0.4111111111111111, 4111111111111111.25
        wrong length 37828224631000, 55555555555544
        4-digit rows 1999 4111 1111 1111 1111 2222 3333
        ids 1732156800000 1732156800000000000 175928847299117063
        uuid 4f11a111-4111-4111-8111-411111111111
    ");
}

#[test]
fn social_security_numbers() {
    assert_snapshot!(lines("
        123-45-6789 and 123 45 6789 and 123.45.6789, also 123\u{2011}45\u{2011}6789
        SSN: 123456789; my social security number is 123456789, ssn on file was 123456789
        {\"ssn\":123456789} ssn=123456789&x=1 (123-45-6789) patient-123-45-6789.txt scan_123-45-6789_v2
        /patients/123-45-6789/visits?ssn=123456789 q=%20123-45-6789
        123 45 6789 4111111111111111
    "), @r#"
        [US_SSN] and [US_SSN] and [US_SSN], also [US_SSN]
        SSN: [US_SSN]; my social security number is [US_SSN], ssn on file was [US_SSN]
        {"ssn":[US_SSN]} ssn=[US_SSN]&x=1 ([US_SSN]) patient-[US_SSN].txt scan_[US_SSN]_v2
        /patients/[US_SSN]/visits?ssn=[US_SSN] q=%20[US_SSN]
        [US_SSN] [CREDIT_CARD]
    "#);
    assert_snapshot!(lines("
        000-12-3456 666-12-3456 900-12-3456 987-65-4321 123-00-6789 123-45-0000
        0123-45-6789 123-45-67890 1-123-45-6789 123-45-6789-1 x123-45-6789 123-45-6789x
        mixed 123-45 6789, short 12-345-6789, 3 123 45 6789 and 123 45 6789 12
        order 123456789, SSN verified, order id 123456789, 123456789, tracking 123456789
        class ssnx 123456789
    "), @r"
        000-12-3456 666-12-3456 900-12-3456 987-65-4321 123-00-6789 123-45-0000
        0123-45-6789 123-45-67890 1-123-45-6789 123-45-6789-1 x123-45-6789 123-45-6789x
        mixed 123-45 6789, short 12-345-6789, 3 123 45 6789 and 123 45 6789 12
        order 123456789, SSN verified, order id 123456789, 123456789, tracking 123456789
        class ssnx 123456789
    ");
}

#[test]
fn emails() {
    assert_snapshot!(lines("
        bob@example.com, <bob.smith+tag@mail.example.co.uk>; mailto:bob@example.com?subject=x
        'o_b@example.com' name=bob@example.com&x email%3Dbob%40example.com \"bob@example.com\"
        rené@müller.de 请联系bob@example.com。 ..bob@example.com -bob@example.com bob@example.com.
        file bob@example.com.txt bob@example.com-2024.pdf path /u/bob@example.com/x 123-45-6789@example.com
        bob@corp.internal bob@x.museum BOB@EXAMPLE.COM bob@example.com:hunter2 \\nbob@example.com
    "), @r#"
        [EMAIL_ADDRESS], <[EMAIL_ADDRESS]>; mailto:[EMAIL_ADDRESS]?subject=x
        '[EMAIL_ADDRESS]' name=[EMAIL_ADDRESS]&x email%3D[EMAIL_ADDRESS] "[EMAIL_ADDRESS]"
        [EMAIL_ADDRESS] 请联系[EMAIL_ADDRESS]。 ..[EMAIL_ADDRESS] -[EMAIL_ADDRESS] [EMAIL_ADDRESS].
        file [EMAIL_ADDRESS].txt [EMAIL_ADDRESS]-2024.pdf path /u/[EMAIL_ADDRESS]/x [EMAIL_ADDRESS]
        [EMAIL_ADDRESS] [EMAIL_ADDRESS] [EMAIL_ADDRESS] [EMAIL_ADDRESS]:hunter2 \n[EMAIL_ADDRESS]
    "#);
    assert_snapshot!(lines("
        icon@2x.png logo@3x.webp pkg@1.2.3 react@18.2.0-beta.rc bob@localhost bob@ @bob a@b bob@.com
        https://user:pw@example.com/x https://bob@example.com ssh://git@github.com/x git@github.com:org/repo.git
        @app.route user@@example.com bob@example.c bob@-example.com actions/checkout@v4
        root@db7.internal:~# ssh app@db7.example.com app@db7.example.com:/srv svc@cluster.local pkg@v1.2.zip
        Message-ID: <20240316.7@mail.example.com>
    "), @r"
        icon@2x.png logo@3x.webp pkg@1.2.3 react@18.2.0-beta.rc bob@localhost bob@ @bob a@b bob@.com
        https://user:[PASSWORD]@example.com/x https://bob@example.com ssh://git@github.com/x git@github.com:org/repo.git
        @app.route user@@example.com bob@example.c bob@-example.com actions/checkout@v4
        root@db7.internal:~# ssh app@db7.example.com app@db7.example.com:/srv svc@cluster.local pkg@v1.2.zip
        Message-ID: <20240316.7@mail.example.com>
    ");
}

#[test]
fn ip_addresses() {
    assert_snapshot!(lines("
        10.0.0.1 192.168.1.20:8080 203.0.113.7/24 [2001:db8::1]:443 http://10.1.2.3/x 8.8.8.8.
        2001:0db8:85a3:0000:0000:8a2e:0370:7334 fe80::1%eth0 ::ffff:10.2.3.4 ip=10.0.0.9, addr:2001:db8::2
        from 10.0.0.5-10.0.0.9 root@10.0.0.7
    "), @r"
        [IP_ADDRESS] [IP_ADDRESS]:8080 [IP_ADDRESS]/24 [[IP_ADDRESS]]:443 http://[IP_ADDRESS]/x [IP_ADDRESS].
        [IP_ADDRESS] [IP_ADDRESS]%eth0 [IP_ADDRESS] ip=[IP_ADDRESS], addr:[IP_ADDRESS]
        from [IP_ADDRESS]-[IP_ADDRESS] root@[IP_ADDRESS]
    ");
    assert_snapshot!(lines("
        127.0.0.1 0.0.0.0 255.255.255.0 255.255.255.255 ::1 :: ::ffff:127.0.0.1
        version 1.2.3.4, v1.2.3.4, release: 2.0.1.7, pkg==1.2.3.4 foo-1.2.3.4.tar.gz Chrome/120.0.0.0 Safari
        1.3.6.1.4.1.311 2.5.29.17 oid 1.2.3.4 1.2.3.4.5 1.2.3 256.1.1.1 01.02.03.04 1.2.3.4-beta
        12:30:45 00:1a:2b:3c:4d:5e std::vec a::b face::bee abc::def x::1 1::2
    "), @r"
        127.0.0.1 0.0.0.0 255.255.255.0 255.255.255.255 ::1 :: ::ffff:127.0.0.1
        version 1.2.3.4, v1.2.3.4, release: 2.0.1.7, pkg==1.2.3.4 foo-1.2.3.4.tar.gz Chrome/120.0.0.0 Safari
        1.3.6.1.4.1.311 2.5.29.17 oid 1.2.3.4 1.2.3.4.5 1.2.3 256.1.1.1 01.02.03.04 1.2.3.4-beta
        12:30:45 [MAC_ADDRESS] std::vec a::b face::bee abc::def x::1 1::2
    ");
}

#[test]
fn accounts_and_coins() {
    assert_snapshot!(lines("
        DE89370400440532013000 GB82 WEST 1234 5698 7654 32 fr1420041010050500013m02606 NO9386011117947
        NL91-ABNA-0417-1643-00 iban:MT84MALT011000012345MTLCAST001S
        1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa 3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy
        bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4
        0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed 0xde709f2102306220921060314715629080e2fb77
    "), @r"
        [IBAN_CODE] [IBAN_CODE] [IBAN_CODE] [IBAN_CODE]
        [IBAN_CODE] iban:[IBAN_CODE]
        [CRYPTO] [CRYPTO]
        [CRYPTO] [CRYPTO]
        [CRYPTO] [CRYPTO]
    ");
    assert_snapshot!(lines("
        DE89370400440532013001 GB82 WEST 1234 5698 7654 33 DE8937040044053201300 XX89370400440532013000
        1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdp
        0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed 0x0000000000000000000000000000000000000000
        da39a3ee5e6b4b0d3255bfef95601890afd80709 5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed
    "), @r"
        DE89370400440532013001 GB82 WEST 1234 5698 7654 33 DE8937040044053201300 XX89370400440532013000
        1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdp
        0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed 0x0000000000000000000000000000000000000000
        da39a3ee5e6b4b0d3255bfef95601890afd80709 5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed
    ");
}

#[test]
fn phone_numbers() {
    assert_snapshot!(lines("
        +12125550123 +1 (212) 555-0123 +44 20 7946 0958 +44 (0)20 7946 0958 (+44) 20 7946 0958 +49-30-901820
        (212) 555-0123, 212-555-0123 212.555.0123 1-212-555-0123 x12; 555-123-4567; 415 555 2671
        01 23 45 67 89 and 020 7946 0958 or 0412 345 678, 06-12345678, 03-1234-5678, 030/901820, 07911 123456
        98765 43210; (11) 98765-4321; 612 34 56 78; 55 1234 5678; tel:+33123456789 +55 11 98765-4321
        call-212-555-0123.wav 212\u{2011}555\u{2011}0123
    "), @r"
        [PHONE_NUMBER] [PHONE_NUMBER] [PHONE_NUMBER] [PHONE_NUMBER] [PHONE_NUMBER] [PHONE_NUMBER]
        [PHONE_NUMBER], [PHONE_NUMBER] [PHONE_NUMBER] [PHONE_NUMBER] x12; [PHONE_NUMBER]; [PHONE_NUMBER]
        [PHONE_NUMBER] and [PHONE_NUMBER] or [PHONE_NUMBER], [PHONE_NUMBER], [PHONE_NUMBER], [PHONE_NUMBER], [PHONE_NUMBER]
        [PHONE_NUMBER]; [PHONE_NUMBER]; [PHONE_NUMBER]; [PHONE_NUMBER]; tel:[PHONE_NUMBER] [PHONE_NUMBER]
        call-[PHONE_NUMBER].wav [PHONE_NUMBER]
    ");
    assert_snapshot!(lines("
        2125550123 order 123-4567 1234567890 2024-01-15 01-02-2024 10:30 1,234,567,890 112-555-0123
        +100 +1234 1+12125550123 100 200 300 4000 10-20-30-40 3.14159265 2024 2025 2026
        12-212-555-0123-9 212-555-01234 0001 2345 678 a212-555-0123 ISBN 978-3-16-148410-0
        550e8400-e29b-41d4-a716-446655440000 2024-11-21 04:42:00 +0530
    "), @r"
        2125550123 order 123-4567 1234567890 2024-01-15 01-02-2024 10:30 1,234,567,890 112-555-0123
        +100 +1234 1+12125550123 100 200 300 4000 10-20-30-40 3.14159265 2024 2025 2026
        12-212-555-0123-9 212-555-01234 0001 2345 678 a212-555-0123 ISBN 978-3-16-148410-0
        550e8400-e29b-41d4-a716-446655440000 2024-11-21 04:42:00 +0530
    ");
}

#[test]
fn secrets() {
    assert_snapshot!(lines("
        AK¦IAIOSFODNN7ABCDEFG key=AS¦IAY34FZKBOKMUTVV7A gh¦p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17
        github_p¦at_11ABCDEFG0aBcDeFgHiJkL_mNoPqRsTuVwXyZ0123456789aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567
        xo¦xb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx xap¦p-1-A0123456789-1234567890123-0a1b2c3d4e5f.
        sk-¦proj-aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5z_-aB, s¦k-aB3dE5fG7hI9jK1lM3nOT3BlbkFJ5pQ7rS9tU1vW3xY5z7A9
        sk-¦svcacct-aB3dE5fG7hI9jK1lM3nO5pQ7 sk-¦ant-api03-aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5z-AA
        AIz¦aSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q s¦k_live_4eC39HqLyjWDarjtT1zdp7dc r¦k_live_4eC39HqLyjWDarjtT1zdp7dc
        glp¦at-aB3dE5fG7hI9jK1lM3nO np¦m_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5 h¦f_aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH
        pyp¦i-AgEIcHlwaS5vcmcCJDAxMjM0NTY3LTg5YWItY2RlZi0wMTIzLTQ1Njc4OWFiY2RlZgACKlszLCJhYmNkZWYiXQ
        S¦K0123456789abcdef0123456789abcdef S¦G.aB3dE5fG7hI9jK1lM3nO5p.aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5z7A9bC1
        \"token\":\"AK¦IAIOSFODNN7ABCDEFG\" \\nAK¦IAIOSFODNN7ABCDEFG;
    "), @r#"
        [AWS_ACCESS_KEY] key=[AWS_ACCESS_KEY] [GITHUB_TOKEN]
        [GITHUB_TOKEN]
        [SLACK_TOKEN] [SLACK_TOKEN].
        [OPENAI_KEY], [OPENAI_KEY]
        [OPENAI_KEY] [ANTHROPIC_KEY]
        [GOOGLE_API_KEY] [STRIPE_KEY] [STRIPE_KEY]
        [GITLAB_TOKEN] [NPM_TOKEN] [HUGGINGFACE_TOKEN]
        [PYPI_TOKEN]
        [TWILIO_KEY] [SENDGRID_KEY]
        "token":"[AWS_ACCESS_KEY]" \n[AWS_ACCESS_KEY];
    "#);
    assert_snapshot!(lines("
        AKIA AKIA**************** AKIAIOSFODNN7EXAMPLE AKIAIOSFODNN7ABCDEFGX xAKIAIOSFODNN7ABCDEFG AKIAAAAAAAAAAAAAAAAA
        ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18 ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx ghp_TOKEN
        sk-proj-your-key-goes-here-please sk-... sk-learn task-force-management-department OPENAI_API_KEY
        sk_test_4eC39HqLyjWDarjtT1zdp7dc pk_live_4eC39HqLyjWDarjtT1zdp7dc xoxb-your-token-here
        hf_hub_download_from_repository npm_config_registry SKU-12345 AIzaShort SG.short.short
        9c56cc51b374c3ba189210d5b6d4bf57790d351c 0123456789abcdef0123456789abcdef
    "), @r"
        AKIA AKIA**************** AKIAIOSFODNN7EXAMPLE AKIAIOSFODNN7ABCDEFGX xAKIAIOSFODNN7ABCDEFG AKIAAAAAAAAAAAAAAAAA
        ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18 ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx ghp_TOKEN
        sk-proj-your-key-goes-here-please sk-... sk-learn task-force-management-department OPENAI_API_KEY
        sk_test_4eC39HqLyjWDarjtT1zdp7dc pk_live_4eC39HqLyjWDarjtT1zdp7dc xoxb-your-token-here
        hf_hub_download_from_repository npm_config_registry SKU-12345 AIzaShort SG.short.short
        9c56cc51b374c3ba189210d5b6d4bf57790d351c 0123456789abcdef0123456789abcdef
    ");
}

#[test]
fn tokens_of_three_segments() {
    assert_snapshot!(lines("
        Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U.
        unsigned eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0. and encrypted eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..48V1_ALb6US04U3b.5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6ji.XFBoMYUZodetZdvTiFvSkQ
    "), @r"
        Bearer [JWT].
        unsigned [JWT]. and encrypted [JWT]
    ");
    assert_snapshot!(lines("
        eyJmb28iOiJiYXIifQ.eyJzdWIiOiIxIn0.abc eyJhbGciOiJIUzI1NiJ9 eyJ.eyJ.eyJ
    "), @"eyJmb28iOiJiYXIifQ.eyJzdWIiOiIxIn0.abc eyJhbGciOiJIUzI1NiJ9 eyJ.eyJ.eyJ");
    // A header with a certificate chain is judged by its beginning, and swallowed whole.
    let header = format!("{{\"alg\":\"RS256\",\"x5c\":[\"{}\"]}}", "A".repeat(4000));
    let header = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, header);
    assert_eq!(check(&format!("a {header}.e30.c2ln b")), "a [JWT] b");
}

#[test]
fn private_keys() {
    assert_snapshot!(check("a\n-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nx+/=\n-----END RSA PRIVATE KEY-----\nb"), @r"
        a
        [PRIVATE_KEY]
        b
    ");
    assert_snapshot!(check("-----BEGIN OPENSSH PRIVATE KEY-----\\nb3BlbnNzaC1rZXk\\n-----END OPENSSH PRIVATE KEY-----\\n"), @r"[PRIVATE_KEY]\n");
    assert_snapshot!(lines(r#"
        {"a":"-----BEGIN RSA PRIVATE KEY-----\\nMIICXAIB\\n-----END RSA PRIVATE KEY-----\\n"}
        {"a":"{\"b\":\"-----BEGIN RSA PRIVATE KEY-----\\\\nMIICXAIB\\\\n-----END RSA PRIVATE KEY-----\\\\n\"}"}
        -----BEGIN PRIVATE KEY-----<br>MIICXAIB<br>-----END PRIVATE KEY-----
        '-----BEGIN PRIVATE KEY-----\n' + 'MIICXAIBAI9scwV55S56\n' + '-----END PRIVATE KEY-----\n'
        -----BEGIN PRIVATE KEY-----\n# then lines of base64 follow
    "#), @r#"
        {"a":"[PRIVATE_KEY]\\n"}
        {"a":"{\"b\":\"[PRIVATE_KEY]\\\\n\"}"}
        [PRIVATE_KEY]
        '[PRIVATE_KEY]\n'
        -----BEGIN PRIVATE KEY-----\n# then lines of base64 follow
    "#);
    assert_snapshot!(check("> -----BEGIN PRIVATE KEY-----\n> MIICXAIBAI9scwV55S56\n> -----END PRIVATE KEY-----\n> ok"), @r"
        > [PRIVATE_KEY]
        > ok
    ");
    assert_snapshot!(check("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQOYBF\n-----END PGP PRIVATE KEY BLOCK-----."), @"[PRIVATE_KEY].");
    assert_snapshot!(check("never ends -----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n123-45-6789 -----END"), @"never ends [PRIVATE_KEY]");
    assert_snapshot!(check("-----BEGIN CERTIFICATE-----\nMIIEpAIBAAKCAQEA\n-----END CERTIFICATE-----"), @r"
        -----BEGIN CERTIFICATE-----
        MIIEpAIBAAKCAQEA
        -----END CERTIFICATE-----
    ");
    assert_snapshot!(check("if '-----BEGIN PRIVATE KEY-----' in text: 123-45-6789"), @"if '-----BEGIN PRIVATE KEY-----' in text: [US_SSN]");
}

#[test]
fn passwords_in_database_urls() {
    assert_snapshot!(lines("
        postgres://app:s3cr3t@db.example.com:5432/x postgresql+asyncpg://app:p%40ss@10.0.0.5/x
        redis://:hunter2@cache:6379 mongodb+srv://u:p@ss@c.example.net/?w=1 jdbc:mysql://root:pw@h/x
        amqp://123-45-6789:pw@mq \"DATABASE_URL\":\"mysql://a:b@c/d\"
    "), @r#"
        postgres://app:[DATABASE_URL_PASSWORD]@db.example.com:5432/x postgresql+asyncpg://app:[DATABASE_URL_PASSWORD]@[IP_ADDRESS]/x
        redis://:[DATABASE_URL_PASSWORD]@cache:6379 mongodb+srv://u:[DATABASE_URL_PASSWORD]@c.example.net/?w=1 jdbc:mysql://root:[DATABASE_URL_PASSWORD]@h/x
        amqp://[US_SSN]:[DATABASE_URL_PASSWORD]@mq "DATABASE_URL":"mysql://a:[DATABASE_URL_PASSWORD]@c/d"
    "#);
    assert_snapshot!(lines("
        postgres://app@db/x postgres://app:${DB_PASS}@db/x postgres://app:****@db postgres://app:<PASSWORD>@db
        https://user:pw@example.com mysql://host:3306/x postgres://db.example.com/a@b
    "), @r"
        postgres://app@db/x postgres://app:${DB_PASS}@db/x postgres://app:****@db postgres://app:<PASSWORD>@db
        https://user:[PASSWORD]@example.com mysql://host:3306/x postgres://db.example.com/a@b
    ");
}

/// Each line: what is found in it, and nothing else. The value stands between brackets, the kind behind the arrow.
fn check_found(text: &str) {
    for line in text.trim().lines() {
        let (written, kinds) = line.trim().split_once(" -> ").unwrap();
        let written = written.replace('¦', "");
        let plain = written.replace(['⟦', '⟧'], "");
        let mut expected = Vec::new();
        let mut rest = written.as_str();
        while let Some((_, behind)) = rest.split_once('⟦') {
            let (value, behind) = behind.split_once('⟧').unwrap();
            expected.push(value.to_owned());
            rest = behind;
        }
        let expected: Vec<_> =
            expected.into_iter().zip(kinds.split_whitespace().map(str::to_owned)).collect();
        let found: Vec<_> = Scanner::new()
            .scan(&plain)
            .iter()
            .map(|span| (plain[span.start..span.end].to_owned(), span.entity.name().to_owned()))
            .collect();
        assert_eq!(found, expected, "{plain}");
    }
}

fn check_nothing(text: &str) {
    for line in text.trim().lines() {
        let line = line.trim().replace('¦', "");
        let found = Scanner::new().scan(&line);
        assert!(found.is_empty(), "{line}: {found:?}");
    }
}

#[test]
fn labels_say_what_a_value_is() {
    check_found(
        "
        ssn⟦536-90-4399⟧ on file -> US_SSN
        SSN⟦536904399⟧ -> US_SSN
        model: gpt-⟦536-90-4399⟧ -> US_SSN
        soc. sec. no. ⟦536904399⟧ -> US_SSN
        ⟦536904399⟧ (SSN) -> US_SSN
        could you read me the SSN? Sure, it's ⟦536904399⟧ -> US_SSN
        SSNs: ⟦536904399⟧, ⟦536904398⟧ and ⟦536904397⟧ -> US_SSN US_SSN US_SSN
        TIN ⟦912-70-1234⟧ -> US_ITIN
        ⟦2125550123⟧ is my phone number -> PHONE_NUMBER
        phone⟦2125550123⟧, fax 212 ok, Phone: ⟦555-0123⟧ -> PHONE_NUMBER PHONE_NUMBER
        MRN-⟦00482913⟧ and mrn_⟦00482914⟧ -> MEDICAL_RECORD_NUMBER MEDICAL_RECORD_NUMBER
        NPI#⟦1234567893⟧ -> US_NPI
        ⟦1EG4-TE5-MK73⟧ and ⟦1EG4TE5MK73⟧ -> US_MBI US_MBI
        DEA# is ⟦AB1234563⟧ -> MEDICAL_LICENSE
        member id ⟦XYZ123456789⟧ -> MEMBER_ID
        born on ⟦3rd of March 1984⟧ in Leeds, D.O.B.: ⟦02.01.1980⟧ -> DATE_OF_BIRTH DATE_OF_BIRTH
        admitted ⟦2024-03-02⟧, discharged ⟦2024-03-09⟧ -> ADMISSION_DATE DISCHARGE_DATE
        died ⟦May 3, 2021⟧ -> DATE_OF_DEATH
        a ⟦92⟧-year-old, age: ⟦94⟧, aged ⟦101⟧ -> AGE AGE AGE
        routing and account numbers are ⟦021000021⟧ and ⟦9988776655⟧ -> ABA_ROUTING US_BANK_NUMBER
        wire it to account ⟦12345678⟧ -> US_BANK_NUMBER
        SWIFT: ⟦DEUTDEFF⟧, BIC ⟦COBADEFFXXX⟧ -> SWIFT_CODE SWIFT_CODE
        ⟦4111 1111 1111 1111⟧ exp ⟦12/27⟧ cvv ⟦123⟧ -> CREDIT_CARD CARD_EXPIRY CVV
        ⟦%B4111111111111111^DOE/JANE^27121010000000000?⟧ -> CREDIT_CARD
        ⟦;4111111111111111=27121010000000000?⟧ -> CREDIT_CARD
        passport ⟦C01234567⟧ -> US_PASSPORT
        driver's license ⟦D1234567⟧, DL# ⟦D123-4567-8901-23⟧ -> US_DRIVER_LICENSE US_DRIVER_LICENSE
        plate ⟦HH-MY 369⟧ vin ⟦1M8GDM9AXKP042788⟧ -> LICENSE_PLATE VIN
        NM1*85*2*ST MARYS CLINIC*****XX*⟦1234567893⟧~ -> US_NPI
        IMEI: ⟦490154203237518⟧ at ⟦00:1A:2B:3C:4D:5E⟧ -> IMEI MAC_ADDRESS
        device serial number ⟦SN64337973⟧ -> DEVICE_SERIAL
        upgrade the host at ⟦10.0.0.9⟧ to version 10.0.0.10 -> IP_ADDRESS
    ",
    );
}

#[test]
fn national_identifiers() {
    check_found(
        "
        NI number ⟦AB 12 34 56 C⟧, nino ⟦AB123456C⟧ -> UK_NINO UK_NINO
        NHS number ⟦943 476 5919⟧ -> UK_NHS
        UTR ⟦1955839661⟧ -> UK_UTR
        Steuer-ID ⟦86 095 742 719⟧ -> DE_TAX_ID
        ⟦255081416802538⟧ or ⟦2 55 08 14 168 025 38⟧ -> FR_NIR FR_NIR
        DNI ⟦12345678Z⟧, ⟦X1234567L⟧, ⟦X-1234567-L⟧ -> ES_NIF ES_NIE ES_NIE
        ⟦RSSMRA85T10A562S⟧ -> IT_FISCAL_CODE
        PESEL ⟦44051401359⟧ -> PL_PESEL
        BSN ⟦111222333⟧ -> NL_BSN
        personnummer ⟦811228-9874⟧, ⟦19811228-9874⟧ -> SE_PERSONNUMMER SE_PERSONNUMMER
        ⟦131052-308T⟧ -> FI_PERSONAL_IDENTITY_CODE
        CPR ⟦070761-4285⟧ -> DK_CPR
        ⟦01010750160⟧ -> NO_FODSELSNUMMER
        ⟦85.07.30-033.28⟧ -> BE_NATIONAL_NUMBER
        ⟦756.9217.0769.85⟧ -> CH_AHV
        SIN ⟦046 454 286⟧ -> CA_SIN
        ⟦529.982.247-25⟧ -> BR_CPF
        aadhaar ⟦2341 2341 2346⟧ -> IN_AADHAAR
        TFN ⟦123 456 782⟧ -> AU_TFN
    ",
    );
    check_nothing(
        "
        RSSMRA85T10A562T 255081416802539 131052-308U 01010750161 756.9217.0769.86 529.982.247-26 X1234567M
        PESEL 44051401358
        BSN 111222334
        NHS number 9434765918
        nino QQ123456C and nino AB123456E
        19811228-9874 and 811228-9874
        20241121T042200Z 20241121-1234 2024112-11
    ",
    );
}

#[test]
fn secrets_by_their_names() {
    check_found(
        r#"
        password: ⟦hunter2⟧ -> PASSWORD
        password=⟦Tr0ub4dor&3⟧&user=bob -> PASSWORD
        {"password": "⟦correcthorsebattery⟧"} -> PASSWORD
        {"db_password":"⟦k8s-Pr0d#92⟧"} -> PASSWORD
        my password is ⟦Tr0ub4dor&3⟧. -> PASSWORD
        the admin password was changed to ⟦Winter2024!⟧ today -> PASSWORD
        curl -u admin:⟦233XRAPG!z8⟧ https://intranet.example -> PASSWORD
        https://bot:⟦s3cretpw⟧@example.com/repo.git -> PASSWORD
        export API_KEY=⟦9f8Kd72hLq0ZxV3bNm5PtR7y⟧ -> GENERIC_SECRET
        client_secret = '⟦Zm9vYmFyYmF6cXV4MTIzNDU2⟧' -> GENERIC_SECRET
        Authorization: Bearer ⟦9f8Kd72hLq0ZxV3bNm5PtR7yQw⟧ -> GENERIC_SECRET
        aws_secret_access_key = ⟦wJalrXUtnFEMI/K7MDENG/bPxRfiCYq8Zt3¦h7KEY⟧ -> AWS_SECRET_KEY
        ⟦AK¦IAIOSFODNN7ABCDEFG⟧ ⟦wJalrXUtnFEMI/K7MDENG/bPxRfiCY1234567KEY⟧ -> AWS_ACCESS_KEY AWS_SECRET_KEY
    "#,
    );
    check_nothing(
        r#"
        password: ${DB_PASSWORD} or <your-password> or ******** or {{ vault }}
        password: <your-password>
        password=********
        api_key: your-api-key-here
        api_key_id: 3f2504e0-4f89-11d3-9a0c-0305e82c3301
        api_key: 3f2504e0-4f89-11d3-9a0c-0305e82c3301
        secret_name = prod/db/password
        secret: aws-prod-db-credentials
        PASSWORD_FILE=/run/secrets/db
        password_hash: $2b$12$abcdefghijklmnopqrstuv
        password must be at least 12 characters
        the password is required
        password = os.environ["DB_PASSWORD"]
        password = get_password()
        api_key = settings.OPENAI_API_KEY
        max_tokens=4096, token count: 12345
        next_token: 9f8Kd72hLq0ZxV3bNm5PtR7y
        secret key rotation every 90 days
        "token_type":"bearer","expires_in":3600
        commit 3f2504e04f8911d39a0c0305e82c3301
    "#,
    );
}

#[test]
fn a_secret_stands_in_the_slot_of_its_label() {
    check_found(
        r#"
        {"passphrase": "⟦Raven-otter_04⟧", "orderId": "ORD-9180094"} -> PASSWORD
        <password>⟦c0b@lt002*⟧</password><timeoutMs>0000</timeoutMs> -> PASSWORD
        <tr><th>Password</th><td>⟦Raven878!⟧</td></tr> -> PASSWORD
        session_secret=⟦ySi5mKp9Qa7Zr2Tw8Xc4⟧ region=us-east-1 plan=free -> GENERIC_SECRET
        {"name":"password","value":"⟦Kx9vQ2mT⟧"} -> PASSWORD
        What is the password?\nuser: ⟦Kx9vQ2mT⟧ -> PASSWORD
        mysqldump -u root -p⟦Xk9m!tR2⟧ shop -> PASSWORD
        sshpass -p '⟦Xk9m!tR2⟧' ssh bob@10 -> PASSWORD
        redis-cli -a ⟦Xk9m!tR2⟧ ping -> PASSWORD
        requirepass ⟦Xk9m!tR2⟧ -> PASSWORD
        CREATE USER etl WITH PASSWORD '⟦Harbor-mango-70⟧'; -> PASSWORD
        Passphrase - ⟦Ginger941@⟧ -> PASSWORD
        What's the password?\nA: ⟦river_mango-03⟧ -> PASSWORD
        - **Password:** ⟦Tundr@210@⟧ -> PASSWORD
        key ⟦AK¦IAWRLTOKUABEBSUIXB⟧ and ⟦gl¦pat-_7uumG4gLjNvtvvt-4Rz⟧ -> AWS_ACCESS_KEY GITLAB_TOKEN
        docker login -u ci --password ⟦Xk9m!tR2⟧ -> PASSWORD
        CREATE USER bob IDENTIFIED BY '⟦Xk9m!tR2⟧'; -> PASSWORD
        machine h login bob password ⟦mango-6876-tree⟧ -> PASSWORD
        /blob?se=2026&sig=⟦DDzMFB7qLk2Xw9Zr5Tn8%2Fc%3D⟧&sv=1 -> GENERIC_SECRET
    "#,
    );
    check_nothing(
        r#"
        {"content":[{"type":"text","text":"How do I reset my password?"}],"isError":false}
        {"properties":{"password":{"type":"string","minLength":8}}}
        {"error":"Invalid password","statusCode":401}
        <passwordHint>see theManual</passwordHint>
        <password>${dbPassword}</password><password></password>
        Forgot the password again today\nSent from my iPhone
        docker run -p 8080:80 nginx, mkdir -p srv/Data1, mysql -u root -p shop
        login page password reset
        the password 'reset' page, password - see below
        sig=DDzMFB7qLk2Xw9Zr5Tn8cA and ?sort=DDzMFB7qLk2Xw9Zr5Tn8cA
    "#,
    );
}

#[test]
fn passwords_of_words() {
    check_found(
        r#"
        password: ⟦velvet-otter-83⟧ -> PASSWORD
        Password=⟦otter_river-33⟧; -> PASSWORD
        {"admin_password": "⟦falcon.velvet-06⟧"} -> PASSWORD
        password: ⟦velvet-otter-mango⟧ -> PASSWORD
        curl -u deploy:⟦falcon-cobalt-78⟧ https://h -> PASSWORD
    "#,
    );
    check_nothing(
        r#"
        password: prod-db-password-2
        password = user_input
        password = form.password2
        passwd=args.input
        password: read-only
        password: DB_PASSWORD
        PASS: test_login_flow
        {"password": "vault/prod/db-1"}
        postgres://user:password@localhost/app
        aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
    "#,
    );
}

#[test]
fn what_hides_a_value_is_undone() {
    check_found(
        r#"
        ⟦５３６－９０－４３９９⟧ -> US_SSN
        ⟦536&#45;90&#x2d;4399⟧ -> US_SSN
        ⟦536%2D90%2D4399⟧ and ⟦bob%2540example.com⟧ -> US_SSN EMAIL_ADDRESS
        ⟦bоb@ехample.com⟧ -> EMAIL_ADDRESS
        ⟦bob&commat;example.com⟧ -> EMAIL_ADDRESS
        data ⟦c3NuOiA1MzYtOTAtNDM5OQ==⟧ end -> US_SSN
    "#,
    );
    check_found("⟦536-9\u{200b}0-43\u{ad}99⟧ -> US_SSN");
    check_nothing(
        "
        aGVsbG8gd29ybGQsIG5vdGhpbmcgdG8gc2Vl &amp; 100%20off &#99999999;
    ",
    );
}

#[test]
fn tables_speak_by_their_heads() {
    assert_snapshot!(check("name,ssn,dob\nbob,536904399,1980-01-02\nann,\"536904398\",3/4/81\n\n536904397"), @r#"
        name,ssn,dob
        bob,[US_SSN],[DATE_OF_BIRTH]
        ann,"[US_SSN]",[DATE_OF_BIRTH]

        536904397
    "#);
    assert_snapshot!(check("| id | MRN |\n|----|-----|\n| 12345678 | 00482913 |"), @r"
        | id | MRN |
        |----|-----|
        | 12345678 | [MEDICAL_RECORD_NUMBER] |
    ");
    assert_snapshot!(check("id        mrn       password\nTCK-1     00482913  s3cret!x\nTCK-2     00482914  $yvd%YM"), @r"
    id        mrn       password
    TCK-1     [MEDICAL_RECORD_NUMBER]  [PASSWORD]
    TCK-2     [MEDICAL_RECORD_NUMBER]  [PASSWORD]
    ");
    assert_snapshot!(check("INSERT INTO t (ref, mrn, pwd) VALUES ('12345678', '00482913', 's3cret!x'),\n('1', '00482914', NULL);"), @r"
    INSERT INTO t (ref, mrn, pwd) VALUES ('12345678', '[MEDICAL_RECORD_NUMBER]', '[PASSWORD]'),
    ('1', '[MEDICAL_RECORD_NUMBER]', NULL);
    ");
    assert_snapshot!(check("user;password\nbob;s3cret!x\n"), @r"
        user;password
        bob;[PASSWORD]
    ");
}

#[test]
fn other_labels_win_by_nearness() {
    check_nothing(
        "
        SSN verified, order id 536904399
        ssn 000-12-3456, 666-12-3456, 900-12-3456, 078-05-1120
        tracking 9405511899223197428490, invoice 123456789, case 2024-123456
        account id 123456789012, phone model SM-G998B, lot 12345678, zip 84101-1234
        due date 01/02/2025, created 2024-01-02, token expires 12/2025, order 4111111111111112
        DEA AB1234564, VIN 1M8GDM9AXKP042789, NPI 1234567890, IMEI 490154203237519
        age 45, aged 33 days, call 123456 times, passport control at gate 12, born free
        upgrade from 11.11.5.0 to 23.2.23.6
        update the ticket for account req_5a465bf589
    ",
    );
}

#[test]
fn what_decided_is_told() {
    let spans = Scanner::new().scan("SSN 536904399, 4111111111111111");
    let told: Vec<_> = spans.iter().map(|span| (span.rule, span.label)).collect();
    assert_eq!(
        told,
        [("area, group and serial as issued", Some("ssn")), ("prefix and length of a network, Luhn", None),]
    );
}

#[test]
fn plain_business_text_has_no_hits() {
    assert_snapshot!(lines("
        Order #48213377 shipped 2024-11-21T04:42:00Z, total $1,234.56 (SKU 998-4421-07), invoice INV-2024-000123.
        Tweet 1859283749182738432, snowflake 1132847561029384756, epoch 1732156800, ms 1732156800123, isbn 9783161484100
        commit 5f2c3e9a1b7d4c6e8f0a2b4c6d8e0f1a3b5c7d9e, sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
        trace 4bf92f3577b34da6a3ce929d0e0e4736 span 00f067aa0ba902b7 rate 3.5/s lat 48.8566 lon 2.3522 v2.3.4.5
        port 8080, 99.95%, 1e10, 0x1F, 12:30, 10:20:30.456, Q3-2024, ISO 27001, RFC 6962, HTTP/1.1 200, UTF-8
    "), @r"
        Order #48213377 shipped 2024-11-21T04:42:00Z, total $1,234.56 (SKU 998-4421-07), invoice INV-2024-000123.
        Tweet 1859283749182738432, snowflake 1132847561029384756, epoch 1732156800, ms 1732156800123, isbn 9783161484100
        commit 5f2c3e9a1b7d4c6e8f0a2b4c6d8e0f1a3b5c7d9e, sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
        trace 4bf92f3577b34da6a3ce929d0e0e4736 span 00f067aa0ba902b7 rate 3.5/s lat 48.8566 lon 2.3522 v2.3.4.5
        port 8080, 99.95%, 1e10, 0x1F, 12:30, 10:20:30.456, Q3-2024, ISO 27001, RFC 6962, HTTP/1.1 200, UTF-8
    ");
}

#[test]
fn a_name_says_what_its_text_is() {
    let scanner = Scanner::new();
    assert_eq!(scanner.scan_named("x-patient-ssn", "123456789").len(), 1);
    assert_eq!(scanner.scan_named("x-order", "123456789"), []);
    assert_eq!(scanner.scan_named("version", "1.2.3.4"), []);
    assert!(scanner.has_hit("mail to bob@example.com") && !scanner.has_hit("mail to bob"));
}

/// A finder may look ahead by a bounded number of bytes only: no text makes the scan quadratic.
#[test]
fn time_grows_with_the_length_only() {
    let steps = |text: &str| {
        let unfolded = Unfolded::of(text.as_bytes());
        let mut text = Text::new(&unfolded.bytes, true, Hints::default());
        let _ = spans(&mut text);
        text.steps()
    };
    let hostile = [
        "1",
        "1 ",
        "1-",
        "1.",
        "4111 ",
        "0",
        "01 ",
        "+1",
        "+1 ",
        "(",
        "(1",
        "a",
        "a.",
        "a@",
        "@",
        "a@a.",
        "-",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nAAAA",
        "-----END",
        "eyJ",
        "eyJ.",
        "eyJhbGciOiJub25lIn0.",
        "eyJ-",
        "eyJ_",
        "a://",
        "postgres://a:",
        "postgres://a:b@",
        ":",
        "::",
        "1:",
        "f:",
        "ab:",
        "AKIA",
        "ghp_",
        "sk-",
        "GB82 ",
        "GB82",
        "bc1",
        "0x",
        "1A",
        "é",
        "%40",
        "%",
        "\\n",
        "_",
        "x.x-",
        "xoxb-",
        "a1",
        "ssn ",
        "SG.",
        "é@",
        "+1 (",
        "Ab ",
        "Anna ",
        "Dear Ab ",
        "A. ",
        "van ",
        "12 Ab ",
        "1 St ",
        "Am A ",
        "Via A ",
        "name: Ab ",
        "Ab-",
        "9 ",
        "ssn 1",
        "password=",
        "password is ",
        "token a1",
        "a,ssn\n",
        "a,password\nx,",
        "|",
        "&#",
        "%4",
        "\\u00",
        "aGVsbG8gd29y/",
        "aGVsbG8gd29ybGQs",
        "AB-",
        "A1 ",
        "AKIAIOSFODNN7ABCDEFG a",
        "jan 1",
        "12 jan ",
        "92 ",
        "1234567 is ",
        "%B4",
        ";4",
    ];
    for seed in hostile {
        for tail in ["", "@", "."] {
            let unit = format!("{seed}{tail}");
            let short = unit.repeat(4_096 / unit.len());
            let long = unit.repeat(32_768 / unit.len());
            let (few, many) = (steps(&short), steps(&long));
            assert!(many < few * 9, "{unit:?} repeated: {few} steps, eight times as long {many}");
            let per_byte = many / 32_768;
            assert!(per_byte < 100, "{unit:?} repeated: {per_byte} steps a byte");
        }
    }
}
