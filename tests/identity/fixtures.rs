//! What openssl 3.0 wrote: one certificate with the serial number C0FFEE, its chain, and its key, in several forms.
//! Valid until 2126. The password is [`PASSWORD`].

use data_encoding::BASE64;

pub(crate) const PASSWORD: &str = "senha-canary";
pub(crate) const SERIAL: &str = "C0FFEE";

/// A line of the key's base64.
pub(crate) const KEY_LINE: &str =
    "MHcCAQEEIDkr/acFS+8EeEyeZI/uCez1es/t7pFVTWqhJF+gQt6ZoAoGCCqGSM49";

pub(crate) const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\n\
     MIIBgjCCASmgAwIBAgIEAMD/7jAKBggqhkjOPQQDAjAXMRUwEwYDVQQDDAxpbnRl\n\
     cm1lZGlhdGUwIBcNMjYxMTI1MjM1MjMyWhgPMjEyNjExMDEyMzUyMzJaMCExHzAd\n\
     BgNVBAMMFmNvbXBhbnk6MTIzNDU2NzgwMDAxOTUwWTATBgcqhkjOPQIBBggqhkjO\n\
     PQMBBwNCAAQ99fjQ2IRXj0EOlzcq3S0MNl7TqS7zuxc3NXnjCjZrce0m6WieDCYP\n\
     uHOCkgMi1LahHEmiu5wmhWwpI4v0qhMjo1cwVTATBgNVHSUEDDAKBggrBgEFBQcD\n\
     AjAdBgNVHQ4EFgQUv+eoqi71vadZB8QqVawXBjFU7Y0wHwYDVR0jBBgwFoAU8UiY\n\
     DSDebxrTdGC6Vpj0BGIJnyMwCgYIKoZIzj0EAwIDRwAwRAIgfSMsWVaeYd1liXbg\n\
     4vrlF3a7/AocS0EvxGIFpH5oR/YCIGrESkW4Py8nrJfPCWqz/nd/5JDgYBc5cyJV\n\
     JnrkgYBY\n\
     -----END CERTIFICATE-----\n";

/// The issuer of the certificate, and its own.
pub(crate) const CHAIN: [&str; 2] = [
    "-----BEGIN CERTIFICATE-----\n\
     MIIBajCCARCgAwIBAgIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARyb290MCAX\n\
     DTI2MTEyNTIzNTIzMloYDzIxMjYxMTAxMjM1MjMyWjAXMRUwEwYDVQQDDAxpbnRl\n\
     cm1lZGlhdGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQDGD9g8UuJJsMur3yb\n\
     KTMLZkP2Q1+8Wrlm8ABxMJKOhqc+2qAMd9rXWZJ3dgCu2Y755zdhBD+JLzRt2yLI\n\
     ERmao1MwUTAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBTxSJgNIN5vGtN0YLpW\n\
     mPQEYgmfIzAfBgNVHSMEGDAWgBRTniNTg67zCkb4rcrtwAszrnWaJDAKBggqhkjO\n\
     PQQDAgNIADBFAiBBOOJuUCs7b3FEw7BdD35+UDdxAZwUayvBLrONyreKtwIhAMid\n\
     xIlj8v6bvZPfSBYOd23sL5DJ/qY81zEyo4DSgj8Y\n\
     -----END CERTIFICATE-----\n",
    "-----BEGIN CERTIFICATE-----\n\
     MIIBdTCCARugAwIBAgIUApeiZm4+Cj1QLkudrGvaB0CIIcUwCgYIKoZIzj0EAwIw\n\
     DzENMAsGA1UEAwwEcm9vdDAgFw0yNjExMjUyMzUyMzJaGA8yMTI2MTEwMTIzNTIz\n\
     MlowDzENMAsGA1UEAwwEcm9vdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABOp6\n\
     cOknPX6WVKWNLP4w6BvU3ywPpwFFUtLYE5SMWhirjFpTfgucuK8nx1OfeS/lVbN4\n\
     TN/BD++S9LMLyFmIM+WjUzBRMB0GA1UdDgQWBBRTniNTg67zCkb4rcrtwAszrnWa\n\
     JDAfBgNVHSMEGDAWgBRTniNTg67zCkb4rcrtwAszrnWaJDAPBgNVHRMBAf8EBTAD\n\
     AQH/MAoGCCqGSM49BAMCA0gAMEUCIDS/0kezz1pj62cNQZGHtlYPRgvMrtnassNH\n\
     uLxxbIuIAiEAxUtGRMPKR+CUwEKYipOcfDeePFSO6yPHrDW4VLa134o=\n\
     -----END CERTIFICATE-----\n",
];

/// SEC 1, as `openssl ecparam -genkey` writes it.
pub(crate) const KEY: &str = "-----BEGIN EC PRIVATE KEY-----\n\
     MHcCAQEEIDkr/acFS+8EeEyeZI/uCez1es/t7pFVTWqhJF+gQt6ZoAoGCCqGSM49\n\
     AwEHoUQDQgAEPfX40NiEV49BDpc3Kt0tDDZe06ku87sXNzV54wo2a3HtJulongwm\n\
     D7hzgpIDItS2oRxJorucJoVsKSOL9KoTIw==\n\
     -----END EC PRIVATE KEY-----\n";

/// `openssl pkcs8 -topk8`.
pub(crate) const KEY_UNDER_AES: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n\
     MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhAYLtZLlGZ7wICCAAw\n\
     DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEHaRAraFKL+us+S3i5Ilq+sEgZBH\n\
     Wtwd0GlaIcFFz2vTSzUxli3iMSep8nYhLcVCxLbvwEw2mCcA6Tb0LF2acjuerx4J\n\
     I+xuKaOJtJxYCQMliEWnUE/0hDXE9eFmjoU5hc5o4us0c09Kvm+RuKZrCw0mMmQS\n\
     CDY9dDDIs8/aaaXx+aZsEx/k0B/QeTXAS0X9moRTDtLlMdEqd+gWvjlSa94Gcpk=\n\
     -----END ENCRYPTED PRIVATE KEY-----\n";

/// `openssl pkcs8 -topk8 -v2 des3`.
pub(crate) const KEY_UNDER_3DES: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n\
     MIHjME4GCSqGSIb3DQEFDTBBMCkGCSqGSIb3DQEFDDAcBAi+O+pxtCKkWwICCAAw\n\
     DAYIKoZIhvcNAgkFADAUBggqhkiG9w0DBwQIFFfyETBEMQ4EgZAsZDIem1vuGcYi\n\
     4f5508zCMLrQs0x/jNThuFvQ2WWpSXd6DetuxA0G8fMXROtfg6ZJoZy2KaLsk2nQ\n\
     vQRBjijOeiUKK+939ZzO+zIhAnM0cQhcHkpYuS7UAMPvYM2GvobLPQIv+rrppRKa\n\
     87j+QJdG7XZijM9WKMqQZusXBGaiCgkGXl49vYVjVllv1I4Qa1U=\n\
     -----END ENCRYPTED PRIVATE KEY-----\n";

/// `openssl ec -aes128`.
pub(crate) const KEY_IN_OLD_FORMAT: &str = "-----BEGIN EC PRIVATE KEY-----\n\
     Proc-Type: 4,ENCRYPTED\n\
     DEK-Info: AES-128-CBC,7975DDDAD7DF904DDB2FF1B9EB0E36D2\n\
     \n\
     xDBsmAOCyv+uhCSyhXPqgCQKEtaARNED0gQRoa8ElE4/Ib6Gb3hODJYUBRUDJP92\n\
     EoF5bXBYlaaR4hyEqfqSK6J3GItvxFVCnIIRVWcv6r55/hpZSvYhWMTk3KhVk4Th\n\
     YwfMSt1d7SLM5QIkXtqggj3qMBh9qw52JEXlzqvIubc=\n\
     -----END EC PRIVATE KEY-----\n";

/// `openssl pkcs12 -export -legacy`: 40-bit RC2 and 3DES, a MAC with SHA-1.
pub(crate) fn legacy() -> Vec<u8> {
    decoded(
        "MIIGwgIBAzCCBogGCSqGSIb3DQEHAaCCBnkEggZ1MIIGcTCCBWcGCSqGSIb3DQEHBqCCBVgwggVUAgEAMIIFTQYJKoZIhvcNAQcB\
     MBwGCiqGSIb3DQEMAQYwDgQIy7uA63tAA+wCAggAgIIFILPX9Mjga194EAXiEi8OZ9sy+FMCu8UTj3NuYBAk68RKFkkGTqw0pNnl\
     eXkwqfNkWxZFSXdA/jd4RcMAeHqxZOr857Q4pNcrBWHpxTZf+JqQY21o37/LgvEw6IYjUokEbdX/Wgz9FpunhdBYHi1K7xr/JtPK\
     LP+NsXSEpZhRzFSBAg5dx3DzJ6sLzcZiNcA26GqEbcpcQEEGnQApuWGriD1ZCc77nf/SHPGuDUm3Xqn2HK4hkWCn755eWNjnovDR\
     M2hPveeGPQFtOaeAwbpWJ7y0ROuGHmvR5zKs0RfiTcDvwG0gc2kt1z8PWHX6702aNOmWRLynNBCmKJggapu0Y5UQgGcXs3c6nErD\
     SxEsibB3uUPbfsAPUXl3Paz26UAK5Q1a9NnnIx0vlsbr48VOQxgZxNCa+1XeSc7uDx44GDExTZ2axxvkU47mqRFQ+ohUpHBYeXhw\
     aRg+DSPPliTUn1hMzg1WobTD6chFLLn0A47NVhfzgLd6Zw8OQenF/Ydnp3M6Z0/KCLwyk/8HU/J7ZTS1r4+68XN4+smg6uJUpr7G\
     ziehNhLm6DnBQvHdyJ7c5MO4IA7TJ0sJoWdmdZodie1BSf+cZ1b3moGwe8vrMxy1BvcqQodr1QR+GUBojoqKA+6qPpMSi+lcHjAB\
     EQ6P1qOVLNPGyjVfVosX5+wiJdTRUrvLOgVQk3Wc81barg6UJauVqIUxLhu71C0H4kx3djMpIzQ5vIVXyv3uvDZ4oNil5WL51qPg\
     vK9SpSRBnOYFrayRCNS0tON3nM6/jCDwCXBH43+l0MTzcTHwZjBfUaV5eJwQ6Ao47Q1SmVGuKY60vbwqFSazJB2nrhnLfhhsyU11\
     JOMy0jkL2G3/sm/IzWm12to0DNwP4kt9DVCQT9u6vXXD44hTYl+DU7+1QC8OqeaxjVouybR8b3roIR+Qsti1tZx8G2NDzkWz5lUr\
     a3cFvRQuU4B2tNbB9WxGRrnH1uK8S5c1mIHlWu/7fHlmkihp+myq2dSxSI/daRrNxmVVm6GAszGtKeBWUumhZEt15EZllwyEJ9n+\
     jX8zwcpkjfWSDjM06SBAMAufkP6HnhzLUYy84yLCUItrcUU+rYLGXayACaoAUt1DUE66N4ZzS26uxficQxBMxpkiIgureaZPBMOY\
     q7MrOkeqGyNDLyj5EvQoUNthrwmhP4BXmNUGekPjmc52txAiPEb9cxXAUGjWRRrp8y697n1QoU+esfYyK1V7vMLOZ3wiwsgjjWfv\
     ynHccNkErLjI654osvqM7NSm54yNZq4bX/UeqUeQQkuA5Vhn5qavtyI74zpUkrDUzKYaCCsJ61pbv7KI5JzQq1Iuvx57iJ8PYlhk\
     RYBGrMN4lUTPx2MiPbGWgTsN0V2NGu5dabqdifAAXLtaru0f3lxvVM9B3jDfiHvtfB7q4STyVDYFmYEO7mkaUCGCK/1KxWjySNrZ\
     8Hlz935Lq5scFxGmYzlru+SpMMdSh7JN16iHqqixd312l8G4EBcPNurMvReg4UTzwiWOL+TgGnkWhbx7/cMc3p1AvopYbODEvYRY\
     NeWkP/v1oee3/cHBI5XE3KR3Hsp6o7FXBdhgp+WFqG9e20NBtVMVz42dJvHa1kIQkumSRTlA8qp2wLwLvWlrL3vM/g4INCDI8YsR\
     umWG0MzQMa9/ao7RKwu6wM4JHWSIslNqj9AF2xVVZvUziVY/TqniM5XdQQ7HpUZmYr/dfjZ9Vp86Flh6upTqSXjnuzWxK+gwggEC\
     BgkqhkiG9w0BBwGggfQEgfEwge4wgesGCyqGSIb3DQEMCgECoIG0MIGxMBwGCiqGSIb3DQEMAQMwDgQIyvq0QDGpJgQCAggABIGQ\
     tFnR9tumUmr/fE6CX4v/hWSx/+8FNVmTElwHM4sPzKTDU4sQ2wIswyPVSkah/32uZm2yH2cHtzbNvAAarufz8MUkH66lT0TB0jRX\
     bRtpBbfOltePHPQL64K29PR+hsOTnmJ8mZHOwweQaoWAxHyoX+4AagKXfRUYscXoOFW3JAOmKNE+GAk0L2t+0RMJUSLLMSUwIwYJ\
     KoZIhvcNAQkVMRYEFLxvr2uzTD74/rgPD5eeUEinZnWSMDEwITAJBgUrDgMCGgUABBRfiegtFTFwWurStvS2WzZb1nCY1wQI8xEd\
     AlLspRcCAggA",
    )
}

/// `openssl pkcs12 -export`: PBES2 with AES-256, a MAC with SHA-256.
pub(crate) fn modern() -> Vec<u8> {
    decoded(
        "MIIHTAIBAzCCBwIGCSqGSIb3DQEHAaCCBvMEggbvMIIG6zCCBaIGCSqGSIb3DQEHBqCCBZMwggWPAgEAMIIFiAYJKoZIhvcNAQcB\
     MFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAinpVOcJauWBAICCAAwDAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEGd5\
     2yV7Ir1fbGsh1EUVvaOAggUgMNX4UxqwclggxXgwLkgbfDG4uSN49vAfRnZMiL0OsMXn24QRDDbZ1HBvA1h093K454zcViR+cwAJ\
     xVKNwONC4qx3kV3i0N/RFDo+LzdN/6ySUFlS8f6YlzJXdxFTF3LWgPuGYrn7BJB59OfX3cXd5zhPSDkMim9kDuK4HQhaqXoMq/Zh\
     OHRKoJrF1xCfrb585DXtpVm/5cktzL2qcc+YfEf9IViXBYao7jkOa91oRxfqp+jh3wF/mkTB8GiLtMDoGlMjIoTESLqlI4DcLPuo\
     zZuAuFbkPa8iMvyBACPqgDa4H+6IbTs6LW1uqPKZKMfu0QFdCxAZRXwH2zvk0/ZNobnNDZkjWwnVVIw//DVjsuV8pfvKJcCdYwKp\
     gEoMwzfCslFdByv4TUvSxc/xnH9jdmWwSfFPq7M2bHFhexlOEXR2X66rxaW4clsVLOHT4XayMW6vgdc+v8/1jnjZ2C0wjM4P6+rI\
     TUBf6HNusQPyS/B7G1SjG4RPGpEkj6nivvkoAi10fO/V0A1+tWP8IodbQ4cxlECSloVzDUcpAD7f8x/B2geQbb7ftmcDaAUcqDPJ\
     Ys0mzm4SiGEuk6NbdAp0zs8ec5Q6IAzS0dXzAV/4o42SoVemz/kcDwFA+JoKR8CTu69W/H8Dbq62wZXSRcGDDuClCVDKqJ5DA4Qy\
     LsWbjCdj3y/qsrr8MNnxYCwzzagqjjJNc1c/qSegnIOJrCmcTGRHJaJDQo34TbF1EuSY/graIcIMc7Du8LX5FgpXvFOzRN3TdknK\
     rNbpEPKBub20NPFhexvF/UdQmCHwBT5Gd4/hRjYvbVKckJgaOsH1zo3g5/woDUax8KIdfinCKRXGu9hs6E6zNW12YjqsM+ucwxkv\
     zyeuAGcLMEI4T+UB+lMVEbIrdzM+K1XLZPSqEW+eCprBzvcH++ZO88rXHmIiV4TqpDwoEfgkGDlllG4oaS5w8eh8ubt8+mBMx7Au\
     2afpgaKtQcDsVWvrzsVELwimZd93Po0NU2Kf4oNLbqX30eIEePvOgLs4Vcms3pbtKou+enfvhUeDcHF32XGzjQ0ZH4wkGJAFwF1q\
     xISPMElyGPS0m390MwsefA+pNEYCDS93AHJr3V+KVa/+GJAEBnjK6wi5kAug0JmHh6tZzIglN2N7WG1KpnCvlxWTR3Swvbeaa8Wi\
     mbag5YggXpObTtjCq3A5BSCbQTJIG63U6k3n9Y1dt5MYJWPyMsra6WsJKOY2320q8OnniSk4St3clDXx3gsCj4nRdwULdfo0VcSy\
     712O+FSdrr1pjVLNr+kt0+ubxMJxF7t8mxFvMhjCMuRiplm+mOQiCeNFH5jktiaYUIdeTUGScCvynSl8/92NRtuc3T/9gdYOYlSn\
     aUqphzSqGz1S0GhJR7JnDDyCRXaN5j51RjyRFzJhkDYLhPMw+8vNVArMTPfLypxlYZSY4vhmoLBUvendCwvfyR6b8jTYj38bS6G6\
     hgWHoeXM1jRylv9gGnqpFPeipK8IucgP2RBegtjcMHS98STxhcHT8cItxuJVFdbFrKPfNn7VpnAUKIKoS8intkJHxYMQNGEOGxm8\
     /af6qyN98IqYqqYdSw+HZETxI4zihK2hRGcmu5SmQiC3ItHvmBcbni6ykHgJABiGR/P5O1v5MHwIYAoMeJ0ZlOjs3udMA+X+n5b7\
     48ycMCGRO/bfKxSiy07b/2g8HO8WEKXsLFYZu3gQDLxiyucF88tv+kBXnp3FIlFoNIRlBuJBljCCAUEGCSqGSIb3DQEHAaCCATIE\
     ggEuMIIBKjCCASYGCyqGSIb3DQEMCgECoIHvMIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAikzATK1aNspAICCAAw\
     DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEPcq/RHjjRnLJhpEthiznKoEgZAU73lco2a6Dwf+sYJHfH5shUZTZZF3PB70x4pp\
     MkKNipNuT2aj+WHrwcTbtXPsOPv6eJp2dhixEyYwIpc2QHbJzUnx1NyRr/J4c1pcmpl7ldbgIWOnBPONY/3MAYQKKXpi5jT2jPQT\
     VbVG2aRcuFPC6OqYbY09AUR2pAMwVCkzFJZpsY8sJkmrIeJ6vdddUh8xJTAjBgkqhkiG9w0BCRUxFgQUvG+va7NMPvj+uA8Pl55Q\
     SKdmdZIwQTAxMA0GCWCGSAFlAwQCAQUABCA4FL2NaG1ouvKc3FHTXs6lg4YZy/4GDkKhFR0Hx+/wRgQIPn5+mnLaxFwCAggA",
    )
}

/// `openssl pkcs12 -export -nokeys`.
pub(crate) fn without_key() -> Vec<u8> {
    decoded(
        "MIICpwIBAzCCAl0GCSqGSIb3DQEHAaCCAk4EggJKMIICRjCCAkIGCSqGSIb3DQEHBqCCAjMwggIvAgEAMIICKAYJKoZIhvcNAQcB\
     MFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgAgr0JQmpC2wICCAAwDAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEOFi\
     tZ57LUdjckn9devtRHeAggHAfVN/Jigtf4AxtrBOQorW6tn0aj26f7ysw3euV0K/25uxYZEApzgLtkCD5ecwOjGzGulFhOrmCHUO\
     pcJvJ6gICo2KB/iOsIBv+l2yZ8TPWy+O5dVrrI2vKoHP4xmvwN8K8U3zeh5PpvhsVPjYAlmQcsPQV2ks3TMOPzDJp6oTgvD7o0Bq\
     oAt8httr59U43/6LJfmSRsLFYeqlByCq3A4kazmZcILecukclbhp29/CK0KU547cwpM6jogM/c4Iu0V2SaUMGc3xCpDmB58N72Ja\
     CWzAIs3gbxtuMNFZZ0XSe/PgMsfoZdbFbRbITerIfdP9i7B4VkI0/wbPxyDhm8T0DddzW/D1luoNMJ+BGH2eQPltowe0SzLFcDfG\
     l82HRbHfbO0Gi1VjKPnMXxBd2FREJcvST6ZKoJTVZInxf2NTOKwB+wU+hlP5+vhHPIQJS98gFittxKC0t307DwfwX5u5sE5YHosK\
     qfQ9krniNqlcEj6jUbknd5EC36FGcf3/uCu8Y+a7p/KO7vHxhAjLVOiBctHPffYwqXcK+3pWNtGH9wWFUchURP+GUKsZ99z+Om/u\
     Aj2BA67tT1w3w99Iin/9PjBBMDEwDQYJYIZIAWUDBAIBBQAEINQXMMt9MM1ALqbgaAg66MST6XW5XI8fYE2Dj0o5OFyRBAiVom4C\
     91A1cAICCAA=",
    )
}

fn decoded(text: &str) -> Vec<u8> {
    BASE64.decode(text.as_bytes()).unwrap()
}
