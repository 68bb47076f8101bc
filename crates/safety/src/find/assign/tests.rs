//! Secrets that are named: each line a text, and behind `=>` what is found in it.

use crate::Scanner;

/// Scans each text and compares what is found with what stands behind it. A `¦` is left out first: nothing here is to
/// look like a live secret.
fn check(lines: &str) {
    let scanner = Scanner::new();
    let mut wrong = String::new();
    for line in lines.trim().lines().map(str::trim) {
        let (text, want) = line.split_once(" => ").unwrap_or((line, ""));
        let text = text.trim().replace("⏎", "\n").replace('¦', "");
        let spans = scanner.scan(&text);
        let found: Vec<&str> = spans.iter().map(|span| &text[span.start..span.end]).collect();
        if found.join("; ") != want.trim() {
            wrong += &format!("want {line}\ngot  {}\n", found.join("; "));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn passwords_in_markup() {
    check(
        r#"
        | Password | Maple73! | => Maple73!
        | **Password** | `velvet-otter-83` | => velvet-otter-83
        | Name | Password | Status1 |⏎|---|---|---|⏎| Bob | Maple73! | new | => Maple73!
        | Password | velvet |⏎| Status | active |
        <dt>Password:</dt>⏎<dd>Maple73!</dd> => Maple73!
        <b>Password:</b> Maple73! => Maple73!
        <PASSWORD>Maple73!</PASSWORD> => Maple73!
        <input type="password" name="pw" value="Maple73!"> => Maple73!
        <wsse:Password Type="x#PasswordText">Maple73!</wsse:Password> => Maple73!
        "#,
    );
}

#[test]
fn values_whose_slot_is_named() {
    check(
        r#"
        {"label":"Password","type":"text","value":"Maple73!"} => Maple73!
        - name: DB_PASSWORD⏎  value: Maple73! => Maple73!
        {"name":"password","value":"${DB}"}
        {"name":"password_policy","value":"strict-2024"}
        {"name":"password","required":true,"in":"formData"}
        ["password", "userName"]
        Password (temporary): Maple73! => Maple73!
        reset_password(user): Maple73
        Password⏎Maple73!⏎User⏎bob => Maple73!
        Password⏎Username⏎Remember me
        "#,
    );
}

#[test]
fn passwords_in_code_and_commands() {
    check(
        r#"
        r.setPassword("Maple73!") => Maple73!
        checkPassword("Maple73!")
        define('DB_PASSWORD', 'Maple73!') => Maple73!
        define('DB_PASSWORD', getenv('X'))
        requests.get(url, auth=("svc", "Maple73!")) => Maple73!
        auth=("svc", password)
        sqlcmd -S s1 -U sa -P Maple73! => Maple73!
        password: !vault db/prod/app
        password = forms.CharField(widget=PasswordInput)
        let secret = generateSecret(32);
        userPassword,accountNumber,status
        curl --data password=@file.txt
        password: @!qmTJ?KUiX4 => @!qmTJ?KUiX4
        "#,
    );
}

#[test]
fn passwords_in_other_languages() {
    check(
        r#"
        La contraseña es Maple73! => Maple73!
        CONTRASEÑA: Maple73! => Maple73!
        lösenord: Maple73! => Maple73!
        das Passwort lautet Maple73! => Maple73!
        hasło=Maple73! => Maple73!
        "#,
    );
}

#[test]
fn passwords_of_several_words() {
    check(
        r#"
        the password is correct horse battery staple. => correct horse battery staple
        "passphrase": "correct horse battery staple" => correct horse battery staple
        the password is correct-horse-battery-staple => correct-horse-battery-staple
        the password is correct horse battery
        the password is case sensitive and stored nowhere
        the passphrase is usually four random words
        password: ask your admin for it
        **Password:** Tiger2145? => Tiger2145?
        "#,
    );
}

#[test]
fn passwords_with_no_mark_before_them() {
    check(
        r#"
        login with user svc-ci and password M4aple-622-Kite => M4aple-622-Kite
        use password Maple73! for staging => Maple73!
        set password Maple73! for bob => Maple73!
        log in with password maple73 => maple73
        Password:⏎Maple73! => Maple73!
        password "Maple73!" => Maple73!
        new password (Maple73!) set => Maple73!
        old password -> Maple73! => Maple73!
        password for staging: Maple73! => Maple73!
        Password for admin is Maple73! => Maple73!
        password will be Maple73! => Maple73!
        ["--password","Maple73!"] => Maple73!
        {"cmd":"[\"--password\",\"Maple73!\"]"} => Maple73!
        password\tMaple73! => Maple73!
        the password V$elvet-736-Lamp works => V$elvet-736-Lamp
        the password reset2 flow
        Password Manager10 is out
        password Chapter5
        password OAuth2 flow, password SHA-256
        the password field2 of the form
        ["password","field12"]
        "#,
    );
}

#[test]
fn what_stands_instead_of_a_secret() {
    check(
        r#"
        password: $2b$12$76CmAiGh686BLWzDRYWJ43Gv5iE1L2P59imkMm0MQPoup8Or3vy4P
        INSERT INTO users (name, password) VALUES ('x', '$2b$12$76CmAiGh686BLWzDRYWJ43Gv5iE1L2P59imkMm0MQPoup8Or3vy4P');
        password: {SSHA}90zXoRBXKXv6lcpAZT3P9cJUSLZKRnrO
        token: sha256:81f2134a618a9669bd1560811bee874b27293b9a3dd9c3aaeaaaa499296f8089
        the token expired at 2024-05-18T23:24:54Z
        password: ENC[AES256_GCM,data:MRIJ6eoRx0ZU,iv:D2z
        password = request.form["password"]
        password: Optional[str] = None
        api_key_name: k9Fh2LqZx8Vb4NmR7tYw
        "api_key_name": "k9Fh2LqZx8Vb4NmR7tYw"
        password_hint: Maple73Kite
        api_key: k9Fh2LqZx8Vb4NmR7tYw => k9Fh2LqZx8Vb4NmR7tYw
        "#,
    );
}

#[test]
fn secrets_in_other_places() {
    check(
        r#"
        Maple73! is the new password => Maple73!
        k9Fh2LqZx8Vb4NmR7tYw (api key) => k9Fh2LqZx8Vb4NmR7tYw
        Maple73 is the password policy
        db.acme.net:5432:app:app:Maple73Kite => Maple73Kite
        main.c:1200:col:error:x1y2z3
        creds: admin / Maple73! => Maple73!
        login: app / web
        variable "db_password" {⏎  type = string⏎  default = "Maple73Kite"⏎} => Maple73Kite
        {"question":"Wifi password?","answer":"Maple73!"} => Maple73!
        WIFI_PSK=Maple73Kite => Maple73Kite
        INSERT INTO u (id, email, password) VALUES (1, 'bob1@example.com', 'Maple73!') => bob1@example.com; Maple73!
        AKIA¦TT6OZ3CBK7RDA5OB / 9wlYA70ngHCjxg+0bsm1ezvXzfBQCHCqLKlMywFU => AKIATT6OZ3CBK7RDA5OB; 9wlYA70ngHCjxg+0bsm1ezvXzfBQCHCqLKlMywFU
        "#,
    );
}
