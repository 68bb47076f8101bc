//! What a label, or a form of its own, makes of numbers: each line a text, and behind `=>` what is found in it.

use crate::Scanner;

/// Scans each text and compares what is found with what stands behind it.
fn check(lines: &str) {
    let scanner = Scanner::new();
    let mut wrong = String::new();
    for line in lines.trim().lines().map(str::trim) {
        let (text, want) = line.split_once("=>").unwrap_or((line, ""));
        let text = text.trim().replace("⏎", "\n");
        let found: Vec<String> = scanner
            .scan(&text)
            .iter()
            .map(|span| format!("{} {}", span.entity.name(), &text[span.start..span.end]))
            .collect();
        if found.join("; ") != want.trim() {
            wrong += &format!("want {line}\ngot  {}\n", found.join("; "));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn days_of_birth() {
    check(
        r#"
        {"dob": "12JUL1970"} => DATE_OF_BIRTH 12JUL1970
        born 03MAR1961, verified => DATE_OF_BIRTH 03MAR1961
        nacida el 3 de marzo de 1961 => DATE_OF_BIRTH 3 de marzo de 1961
        nació el 03/04/1961 => DATE_OF_BIRTH 03/04/1961
        she (b. 2 May 1980) called => DATE_OF_BIRTH 2 May 1980
        she (b. July 3rd, 2005) called => DATE_OF_BIRTH July 3rd, 2005
        plan b. 2 May 1980
        shipped 12JUL1970
        born 12JUL19701
        "#,
    );
}

#[test]
fn fiscal_codes_as_the_card_prints_them() {
    check(
        "
        codice fiscale RSS MRA 85T10 A562S, grazie => IT_FISCAL_CODE RSS MRA 85T10 A562S
        RSS MRA 85T10 A562S => IT_FISCAL_CODE RSS MRA 85T10 A562S
        RSS-MRA-85T10-A562S => IT_FISCAL_CODE RSS-MRA-85T10-A562S
        RSS MRA 85T10 A562T
        RSSM RA 85T10 A562S
        THE MRA 85 of A562S
        ",
    );
}

#[test]
fn licences_of_drivers() {
    check(
        "
        driver license: WDLABC2DEFGH => US_DRIVER_LICENSE WDLABC2DEFGH
        driver license: A1234 56789 01234 => US_DRIVER_LICENSE A1234 56789 01234
        DL 486 730 772 => US_DRIVER_LICENSE 486 730 772
        driver's license 15-164-1873, thanks => US_DRIVER_LICENSE 15-164-1873
        driver license AB12CD34 => US_DRIVER_LICENSE AB12CD34
        driver license expired 2024-01-01
        driver license renewal for v2beta
        driver license class
        ",
    );
}

#[test]
fn telephone_numbers_behind_their_label() {
    check(
        r#"
        phone: 9594 3141 => PHONE_NUMBER 9594 3141
        mobile=86386497 => PHONE_NUMBER 86386497
        hp: 6269 4023, call first => PHONE_NUMBER 6269 4023
        Tél. : 0614873162 => PHONE_NUMBER 0614873162
        Caller ID 7866967623 hung up => PHONE_NUMBER 7866967623
        My number is 604 263 9608, text is fine => PHONE_NUMBER 604 263 9608
        mobile 612345678 => PHONE_NUMBER 612345678
        call at 040 / 9582407 => PHONE_NUMBER 040 / 9582407
        Call me back on 692-342-326 after 5pm => PHONE_NUMBER 692-342-326
        Llámame al 91 217 38 75 o escribe => PHONE_NUMBER 91 217 38 75
        Mobiel: 0634707544 => PHONE_NUMBER 0634707544
        WhatsApp 688-656-864 => PHONE_NUMBER 688-656-864
        mob: 98569-98183 => PHONE_NUMBER 98569-98183
        Bel me op 0656140396 => PHONE_NUMBER 0656140396
        Mon portable : 0436309635 => PHONE_NUMBER 0436309635
        joignable au 0350080097 => PHONE_NUMBER 0350080097
        Meu celular é (21) 3018 1532 => PHONE_NUMBER (21) 3018 1532
        phone: 20260512
        my number is 7
        {"type":"text","text":"86386497"}
        call 12:08:42.429333
        "#,
    );
}

#[test]
fn telephone_numbers_without_a_label() {
    check(
        "
        +52 1 55 8268 2512 => PHONE_NUMBER +52 1 55 8268 2512
        +52 55 8268 2512 => PHONE_NUMBER +52 55 8268 2512
        089 / 8919101 => PHONE_NUMBER 089 / 8919101
        612 345 678 => PHONE_NUMBER 612 345 678
        | 612 345 678 | => PHONE_NUMBER 612 345 678
        (51) 97846-2348 => PHONE_NUMBER (51) 97846-2348
        06(6901)9313 => PHONE_NUMBER 06(6901)9313
        confirm 204 254 3759 today => PHONE_NUMBER 204 254 3759
        office 55-5584-9284 ext. 214 => PHONE_NUMBER 55-5584-9284
        415/883-7066 => PHONE_NUMBER 415/883-7066
        ratio 642/883/7066
        ratio 097/588/9832
        '06/28/35'
        213.373.4253 => PHONE_NUMBER 213.373.4253
        EUR 691 328 319
        832 843 298 units
        partition 48-7434-4262
        serial 612 345 678
        asset tag 025.430.9977
        ratio 415.129.8377
        asset tag 213.373.4253
        03 / 2027
        ",
    );
}

#[test]
fn other_numbers_behind_their_label() {
    check(
        "
        French social security number 2550814168025 38 => FR_NIR 2550814168025 38
        N° SS : 2550814168025 38 => FR_NIR 2550814168025 38
        Swedish personal identity number 198902196156 Can you => SE_PERSONNUMMER 198902196156
        num_secu: 2550814168025 38 => FR_NIR 2550814168025 38
        documento_identidad: 12345678Z => ES_NIF 12345678Z
        documento de identidad 12345678-Z => ES_NIF 12345678-Z
        documento 12345678Z
        MRN: 04-01-14 => MEDICAL_RECORD_NUMBER 04-01-14
        chart_number: 05-27-78 => MEDICAL_RECORD_NUMBER 05-27-78
        patient 04-01-14
        MRN updated on 04-01-14
        cvc,timeout_ms⏎097,4000 => CVV 097
        4111 1111 1111 1111, cryptogramme 384 => CREDIT_CARD 4111 1111 1111 1111; CVV 384
        the code on the back is 117 => CVV 117
        cvv 123,456
        cvv and mailing address: 1582 Juniper Way, Austin, TX 78722 => ADDRESS 1582 Juniper Way, Austin, TX 78722
        ss# 332797881 => US_SSN 332797881
        SKU-236-84-7652
        SSN-236-84-7652 => US_SSN 236-84-7652
        DDA 313670348508 => US_BANK_NUMBER 313670348508
        N.I. number HS723619 D => UK_NINO HS723619 D
        my social is 519246681 => US_SSN 519246681
        imei1: 352802822413988 => IMEI 352802822413988
        ",
    );
}

#[test]
fn versions_are_no_addresses() {
    check(
        r#"
        [assembly: AssemblyVersion("9.1.6.0")]
        openssl 1.1.1.1 is old
        from 8.8.8.8 => IP_ADDRESS 8.8.8.8
        server 1.1.1.1 => IP_ADDRESS 1.1.1.1
        openssl 81.2.69.160 => IP_ADDRESS 81.2.69.160
        1.1.1.1 => IP_ADDRESS 1.1.1.1
        "#,
    );
}

#[test]
fn passports() {
    check(
        r#"
        passport 123456780 => US_PASSPORT 123456780
        passport C01234567 => US_PASSPORT C01234567
        passport C01X00T47 => PASSPORT C01X00T47
        passport AB123456 => PASSPORT AB123456
        passport 1234567
        passport ABCDEFGHI
        "#,
    );
}

#[test]
fn elements_in_capitals_are_labels() {
    check(
        r#"
        <SSN>536904399</SSN> => US_SSN 536904399
        <CVV2>123</CVV2> => CVV 123
        <CVV>123</CVV> => CVV 123
        cvv <CVV> 123 =>
        <tr><th>SSN</th></tr><tr><td>536904399</td></tr> =>
        <th>Age</th><td>97</td> => AGE 97
        "#,
    );
}

#[test]
fn tables_within_strings() {
    check(
        r#"
        {"content":"mrn,dob\n00712380,1979-05-07"} => MEDICAL_RECORD_NUMBER 00712380; DATE_OF_BIRTH 1979-05-07
        {"a":"{\"q\":\"mrn,dob\\n00712380,1979-05-07\"}"} => MEDICAL_RECORD_NUMBER 00712380; DATE_OF_BIRTH 1979-05-07
        bot: mrn,dob⏎00712380,1979-05-07 => MEDICAL_RECORD_NUMBER 00712380; DATE_OF_BIRTH 1979-05-07
        {"columns":["npi","id"],"rows":[["1905365791","536904399"]]} => US_NPI 1905365791
        <table><tr><th>mrn</th><th>x</th></tr><tr><td>00712380</td><td>00712381</td></tr></table> => MEDICAL_RECORD_NUMBER 00712380
        {"npi":["1905365791","1245319599"]} => US_NPI 1905365791; US_NPI 1245319599
        account: 2024-05-06T07:08:09Z =>
        "#,
    );
}

#[test]
fn segments_are_read_by_place() {
    check(
        r#"
        PID|1||17785986^^^MERCY^MR||LEE^ANNA||19520112|F => MEDICAL_RECORD_NUMBER 17785986; DATE_OF_BIRTH 19520112
        NM1*IL*1*LEE*ANNA****MI*W123456789~REF*SY*536904399~ => MEMBER_ID W123456789; US_SSN 536904399
        REF*D9*17785986~DMG*XX*19520112~ =>
        "#,
    );
}

#[test]
fn cards_digit_by_digit() {
    check(
        r#"
        4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 => CREDIT_CARD 4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1
        4-1-1-1 1-1-1-1-1-1-1-1-1-1-1-1 =>
        4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 =>
        GTIN: 4013351426555 =>
        card 4222222222222 => CREDIT_CARD 4222222222222
        IBAN DE00 4111 1111 1111 1111 25 =>
        "#,
    );
}

#[test]
fn labels_behind_their_values() {
    check(
        r#"
        1984-03-04 (DOB) => DATE_OF_BIRTH 1984-03-04
        1944-03-10 is her date of birth => DATE_OF_BIRTH 1944-03-10
        March 4, 1984 (DOB) => DATE_OF_BIRTH March 4, 1984
        Z60443861 is my passport number => US_PASSPORT Z60443861
        X12345678 (passport_no) => US_PASSPORT X12345678
        957760 (MRN) => MEDICAL_RECORD_NUMBER 957760
        3535189223 is the MRN The case is closed => MEDICAL_RECORD_NUMBER 3535189223
        90210 is the patient's zip code
        2021-03-04 is the patient's next visit
        957760 (MRN: 4821993) => MEDICAL_RECORD_NUMBER 4821993
        "#,
    );
}

#[test]
fn labels_that_are_no_part_of_a_value() {
    check(
        r#"
        driver license S6713963, SSN 580-65-5472 => US_DRIVER_LICENSE S6713963; US_SSN 580-65-5472
        Patient DOB June 3, 1990, seen 2025-03-24 => DATE_OF_BIRTH June 3, 1990
        16437,"geboren am 18. April 1948",2026-02-07 => DATE_OF_BIRTH 18. April 1948
        9,"phone verified, DOB on file",2026-02-03
        {"label":"Date of birth","answer":"12/22/1950"} => DATE_OF_BIRTH 12/22/1950
        total patients: 42365
        {"patients":847087}
        {"passports":391634747}
        patient 8470871 => MEDICAL_RECORD_NUMBER 8470871
        routing table: 032432536
        "#,
    );
}

#[test]
fn accounts_at_a_bank() {
    check(
        r#"
        account # 4829103847 => US_BANK_NUMBER 4829103847
        {"account #":"4829103847"} => US_BANK_NUMBER 4829103847
        A/C 4829103847 => US_BANK_NUMBER 4829103847
        Account 4829103847 was debited => US_BANK_NUMBER 4829103847
        ACH to 021000021/4829103847 => ABA_ROUTING 021000021; US_BANK_NUMBER 4829103847
        021000021/4829103847 (routing/account) => ABA_ROUTING 021000021; US_BANK_NUMBER 4829103847
        page 021000021/4829103847
        wire 021000022/4829103847
        AWS account # 482910384712
        account 4829103847 was closed
        "#,
    );
}

#[test]
fn licences_of_other_kinds() {
    check(
        r#"
        D.L. R9516967 => US_DRIVER_LICENSE R9516967
        <license type="driver" number="R9516967"/> => US_DRIVER_LICENSE R9516967
        {"medicare_beneficiary_id":"4YD3Q33RG14"} => US_MBI 4YD3Q33RG14
        beneficiary id: 884213377 => MEMBER_ID 884213377
        {"field":"NPI ID","value":"1234567893"} => US_NPI 1234567893
        liquor license no. 56147199
        DL-1818734 download queued
        876.235.162,63 Rp
        the customer's number: 202-732-0488 => PHONE_NUMBER 202-732-0488
        "#,
    );
}
