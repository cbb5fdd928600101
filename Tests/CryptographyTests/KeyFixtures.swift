/// Keys made by the openssl command for these tests alone; they protect nothing.
enum KeyFixtures {
    /// `openssl genrsa 2048`, PKCS#8.
    static let privateKey = """
        -----BEGIN PRIVATE KEY-----
        MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7Ca6zxUY5eRhu
        uIQe8FpZ8BjNRettKruukS5Ad5QgMnZsq7c7U1++4qd195/ofVYnQhIFKGWnpWV9
        ExLCYHWntJKWRCTQdpraSDpuN1fcec/vHVP2z04gTvfVfZWtZDTJjGjBfD7f01tG
        t7Guh8O0i5Ppfw3ZOmaFv2YdAa9UvnDnnJtmtDWo3m+dKBQiND5XQqu4KMA93L7k
        zqv85dbuxx8FJZhh2l0h/j3Kh22+JX+K25UNJ5CmMR0QUplZ+N9iAsLIKUqs/uJR
        hdNfE6txOjEBq655vE+1/XcPGDEy3UI9+DkK8xdYWcOo7CbeTUriujAXqppYdZhV
        NzPMfqXxAgMBAAECggEAAhu8FSkwXzX6/UaFsL6XWiOvd+Llojuk1XUr/wyKBinj
        dVqjLF9GeUWfSyBhNFLzXWpsfxPjP3ZJFFWadMf3E46gx2JZwuLPYI4HYJYtnp3d
        5u1e9K2GDS2utACgJw313V7AkIvIvqeog/3Omi/MGDUpk+x7eLskjDXp3gJWml8t
        QjAF8hN3n3lzyiqkJNCbfiQ/Q+cAl7Zd65O57h7vI9Xial0kOsInSre6+9yke/xN
        4eJbALOfukKrq3lbooCicgAQU0hJ0c4U26iLVCLIOC5UDOFea2vY8oxTYxTMnSn2
        XwanpZzdh2XHpvekW9gTjFe0NORaAreZj3ExtygLFQKBgQDckbhh8atzWS3Taa2+
        b1RSFOck8OjMW7io09LZ34hK3D3Zbc1ZhCR/UIq6uu0GEU9DU9/AVr82l7CabF6E
        PSKj5/AKgbAV8d2LE1fC41xh582qO+tcR81cxAZBAZA8SIN7CeqHjVVwLd6emmrK
        cqUXoyx23F2l21UNKR5t0Ja1JQKBgQDZFRRCbr1+JsXqvGG1yi2y/smVG4mXobM+
        ixXO4Cm8qqet+/4HSE8wbIQpiYnTJGB12NFrhT4vpYnN386ej4gxui2i7ie8XZng
        jzcqUvXMtjJQ0IWRE5siSGrNQmYwW7oD2a+5MeT9RkURkLL5qffwka5Hy8izUSp/
        M8426xih3QKBgQCwK6+igz1Wtz7z4i+EsDUgDlQEXGsEdqoKJo39uR2J9VltJddj
        jTj9e14jARQ5yW+OrhpD7MVzHDtRTAc+Bfp6AdHnAmibToCOCZgKMEDkbhoFwzAc
        l7j+RA9espn6nExv5J6vQAKiw/BQq7NqGaGlPI5SLXaa95F6HoKQYY9OBQKBgEmL
        XajAEcy6YBUNq2DGVUMuFKdChBPuAWbwAfxrb1huzI4iMEbRVZrHOONFqH7y9QcX
        5KMzqgTEZXJtH3gSkoaeV7W6T5X+dBJjEsJxBrtLArLkYkvrQ4SS2jQeCbbabKO/
        TUxFvhmcg+vWhPwWfFxxToUeYil2FxqvN27dqSO1AoGAH5hkiz/YTIFZkHg1dExg
        678JVtrdWh3Jo6lvpPfG/UWTCLAsio3a3/L0R6+EsTJSo9rWWFHpBwpKc9ZQ7OhD
        dx6sgENkuulQ6JH1ru/QG4AWgSgBNip9g16i3m+0U/RsqJ88nVmR3o1f00+XIh0/
        ie73TUInqSBdgPK2GufwZS8=
        -----END PRIVATE KEY-----
        """

    /// The same key in PKCS#1.
    static let traditionalKey = """
        -----BEGIN RSA PRIVATE KEY-----
        MIIEowIBAAKCAQEAuwmus8VGOXkYbriEHvBaWfAYzUXrbSq7rpEuQHeUIDJ2bKu3
        O1NfvuKndfef6H1WJ0ISBShlp6VlfRMSwmB1p7SSlkQk0Haa2kg6bjdX3HnP7x1T
        9s9OIE731X2VrWQ0yYxowXw+39NbRrexrofDtIuT6X8N2Tpmhb9mHQGvVL5w55yb
        ZrQ1qN5vnSgUIjQ+V0KruCjAPdy+5M6r/OXW7scfBSWYYdpdIf49yodtviV/ituV
        DSeQpjEdEFKZWfjfYgLCyClKrP7iUYXTXxOrcToxAauuebxPtf13DxgxMt1CPfg5
        CvMXWFnDqOwm3k1K4rowF6qaWHWYVTczzH6l8QIDAQABAoIBAAIbvBUpMF81+v1G
        hbC+l1ojr3fi5aI7pNV1K/8MigYp43VaoyxfRnlFn0sgYTRS811qbH8T4z92SRRV
        mnTH9xOOoMdiWcLiz2COB2CWLZ6d3ebtXvSthg0trrQAoCcN9d1ewJCLyL6nqIP9
        zpovzBg1KZPse3i7JIw16d4CVppfLUIwBfITd595c8oqpCTQm34kP0PnAJe2XeuT
        ue4e7yPV4mpdJDrCJ0q3uvvcpHv8TeHiWwCzn7pCq6t5W6KAonIAEFNISdHOFNuo
        i1QiyDguVAzhXmtr2PKMU2MUzJ0p9l8Gp6Wc3Ydlx6b3pFvYE4xXtDTkWgK3mY9x
        MbcoCxUCgYEA3JG4YfGrc1kt02mtvm9UUhTnJPDozFu4qNPS2d+IStw92W3NWYQk
        f1CKurrtBhFPQ1PfwFa/NpewmmxehD0io+fwCoGwFfHdixNXwuNcYefNqjvrXEfN
        XMQGQQGQPEiDewnqh41VcC3enppqynKlF6MsdtxdpdtVDSkebdCWtSUCgYEA2RUU
        Qm69fibF6rxhtcotsv7JlRuJl6GzPosVzuApvKqnrfv+B0hPMGyEKYmJ0yRgddjR
        a4U+L6WJzd/Ono+IMbotou4nvF2Z4I83KlL1zLYyUNCFkRObIkhqzUJmMFu6A9mv
        uTHk/UZFEZCy+an38JGuR8vIs1EqfzPONusYod0CgYEAsCuvooM9Vrc+8+IvhLA1
        IA5UBFxrBHaqCiaN/bkdifVZbSXXY404/XteIwEUOclvjq4aQ+zFcxw7UUwHPgX6
        egHR5wJom06AjgmYCjBA5G4aBcMwHJe4/kQPXrKZ+pxMb+Ser0ACosPwUKuzahmh
        pTyOUi12mveReh6CkGGPTgUCgYBJi12owBHMumAVDatgxlVDLhSnQoQT7gFm8AH8
        a29YbsyOIjBG0VWaxzjjRah+8vUHF+SjM6oExGVybR94EpKGnle1uk+V/nQSYxLC
        cQa7SwKy5GJL60OEkto0Hgm22myjv01MRb4ZnIPr1oT8FnxccU6FHmIpdhcarzdu
        3akjtQKBgB+YZIs/2EyBWZB4NXRMYOu/CVba3VodyaOpb6T3xv1FkwiwLIqN2t/y
        9EevhLEyUqPa1lhR6QcKSnPWUOzoQ3cerIBDZLrpUOiR9a7v0BuAFoEoATYqfYNe
        ot5vtFP0bKifPJ1Zkd6NX9NPlyIdP4nu901CJ6kgXYDythrn8GUv
        -----END RSA PRIVATE KEY-----
        """

    /// Its public half.
    static let publicKey = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuwmus8VGOXkYbriEHvBa
        WfAYzUXrbSq7rpEuQHeUIDJ2bKu3O1NfvuKndfef6H1WJ0ISBShlp6VlfRMSwmB1
        p7SSlkQk0Haa2kg6bjdX3HnP7x1T9s9OIE731X2VrWQ0yYxowXw+39NbRrexrofD
        tIuT6X8N2Tpmhb9mHQGvVL5w55ybZrQ1qN5vnSgUIjQ+V0KruCjAPdy+5M6r/OXW
        7scfBSWYYdpdIf49yodtviV/ituVDSeQpjEdEFKZWfjfYgLCyClKrP7iUYXTXxOr
        cToxAauuebxPtf13DxgxMt1CPfg5CvMXWFnDqOwm3k1K4rowF6qaWHWYVTczzH6l
        8QIDAQAB
        -----END PUBLIC KEY-----
        """

    /// `openssl req -x509` over the same key.
    static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIDBTCCAe2gAwIBAgIUXhsBAgMEBQYHCAkAqrvM3e7/ABEwDQYJKoZIhvcNAQEL
        BQAwEjEQMA4GA1UEAwwHRXhhbXBsZTAeFw0yNjExMjMwNTU4MDRaFw0zNjExMjAw
        NTU4MDRaMBIxEDAOBgNVBAMMB0V4YW1wbGUwggEiMA0GCSqGSIb3DQEBAQUAA4IB
        DwAwggEKAoIBAQC7Ca6zxUY5eRhuuIQe8FpZ8BjNRettKruukS5Ad5QgMnZsq7c7
        U1++4qd195/ofVYnQhIFKGWnpWV9ExLCYHWntJKWRCTQdpraSDpuN1fcec/vHVP2
        z04gTvfVfZWtZDTJjGjBfD7f01tGt7Guh8O0i5Ppfw3ZOmaFv2YdAa9UvnDnnJtm
        tDWo3m+dKBQiND5XQqu4KMA93L7kzqv85dbuxx8FJZhh2l0h/j3Kh22+JX+K25UN
        J5CmMR0QUplZ+N9iAsLIKUqs/uJRhdNfE6txOjEBq655vE+1/XcPGDEy3UI9+DkK
        8xdYWcOo7CbeTUriujAXqppYdZhVNzPMfqXxAgMBAAGjUzBRMB0GA1UdDgQWBBSU
        XdUiei5LTxmQ6FIZ3vy41bbXxjAfBgNVHSMEGDAWgBSUXdUiei5LTxmQ6FIZ3vy4
        1bbXxjAPBgNVHRMBAf8EBTADAQH/MA0GCSqGSIb3DQEBCwUAA4IBAQBAekLBJdfg
        L98KQRkYlzbF1+eKKYvk5JwWllgXEJW52ITsN3pJ1ltRHaifq3qI3DHAd3EPmfpZ
        o3ne2jShKaJW+iKQglaYdV7qq3iTzPsd+naZdLcrVPRc3yKQqXPDfNMJuZMPbyOE
        vfhX7Ok4ok0HvyeIOJBVuYys0BMyEO80EPOtjFXX3NmII3puL+TXXQjjbAWNTJRK
        kAwbXThdzJHd4LZGIC48KqqCpVzPi48ER8yZ8HGvhJ8EYJx7oBm/PNOPmhwNEoZF
        TnamdUUGQ18vME0vBCURhLYl/ATdsiwcoeA8Qp5R+sCSd9nUE3giRgf/RMDsUK0H
        u+/kHdw0ivC8
        -----END CERTIFICATE-----
        """

    /// The same key, locked with a pass phrase.
    static let encryptedKey = """
        -----BEGIN ENCRYPTED PRIVATE KEY-----
        MIIFLTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQIdIpGcQOnU34CAggA
        MAwGCCqGSIb3DQIJBQAwHQYJYIZIAWUDBAECBBBuFuHvdVJ10/Fw60+gB7A8BIIE
        0LQ7W/xgjP+i6NW/kdVhmTsuojKNKjDzUaGqmyWanodiG8bw56pWCfe7JtT0s++x
        4Tmazkkxj2OAHxz0BzdMgf/Kw+SdG7CYWe9mcee2Uebxnqkhc4Dx32n6Bf5DhSB2
        EyI2IYk3M59p3ciXw1FBNNIMr9yJmq8LK2hoQmmJ3u8FyyTp6r5HSey1wathyGYu
        hPCFGPezZGx4FTZoyVx1Nifeo0nIMtAIELBqyMHg8xtL/KT6F4GgdOsY9t7Op8tk
        uQMcZO9CUhCWMeKI/4KQjWFRWMIV8z/ljQB03324rIePkTpLgdg+3DYLpK99V+dw
        o0pVjQrbwkmh51Cm4grQJ7OW4Tz4HmjudpdgJvGZvVsPTX4UXnRpPx77kdBqNEun
        iZ4Go4Z/uvSGlEkr/dRp9xUZOl61Zp1r78vbswR8rUJMblUQF/gPSS56KDIqfmws
        iDrurzjjXusEo9jZMAZ/60XffRgaCjWjV/ebIM3XCB2kx4fEiyUj1Cw8mAxScLQ9
        7N9Gap2f4dSDW0idjwDEjKQFgGLnGY/KsNXr1m5jPGAEsLppR0EDt8rfU06EhRCS
        Rtgqgyn6y8Gam4JVUdSDrhwjnaIpIjSFXo0TWimfUElQXofiejd23R6kbkPwUz6Y
        9HPccqroGGhF4ySi2q/9p3tAYd+Z/WgA2URQOzgZFsUFFi9ULrP+2kDp22X0r24W
        Y6kx83Sg05hGXGuuJkERKSpRMf/pfw9e4bklEsLZTXs0UQuBixI02qI7Sd8xoXMT
        RtGyWV45HrBzv1vLz4uydSFt2p/WO16mkC4BsX72lANiqmF7d83/MHUqhuzkjQWp
        jR/coU4gvVX/mGg7lEFPjxcCSKPFg1jHEP8zcBT10vbwIJ1Xpji/CjXqkuxHZJjm
        HlKGOmJD4ifMbCDZp1/x/IRT9aoMleloB07hLfqWnUyPK8ep6/F3yrsbGRm7/P+4
        jQbQcRqcrnSyY1CzI/CTY7Fyzq0+aqqSoveISb4ftjGuOM1liGmpkEdY6snUG29B
        PT7sr5PfO5oxh51lIVQovhQOvimezoYgIqraL5u/EPiUlnMLs+QHLQowSSpNruTo
        ynkGhH9xGCb9MjwazMxJB411r+eqqeDQ2kK4RmzHFzo+5D4WiXHE28snSP+RMZMV
        XMKxCOaIwUNf6oy53YpyJlf+TRB0VKwCJAhklzJcTH5gwTofWVhbDIuA09WY1r3p
        eR6Xj4RNbXngOiqY6o0WI1AqWlJo3aX1maNe6S1sADHmUnmRB4R9IlTQ0wfht/9d
        BxQMBI7+OhBq3DqFLmgNZi0D40zSyyzTPRkd2oR83kGi1tyVqthfFakwvCTViKIn
        VdqXEPRWxnk8nDfnj/EyXyDXqQaRpyZsaoZsLEv9JlVYrF+dFVJZLcJ2v5KZe5TO
        605FdOmBkeXgmE5oraMwn4oz6o/NTo0z9DPAfR0b2oB3Kp585dqGEgwNJg2QSpUU
        prOVzqyjmWdS4SPo7YnzkyUU5UpQ6m0Qlvr+4eUNixvWSf5NNNTDurfNjh5Fp7mW
        xy3aNP9Ll0eUUX4Dd//q5qlCB5Fbt/eBjziuAi4l7ESlsSmM4nHQAa5ZRJDWbTqn
        O1tpaDldF1Zs72Ql2gYUF9gkr33f/rtsu/ZrYybPGG5p
        -----END ENCRYPTED PRIVATE KEY-----
        """

    /// RSA of 1,024 bits.
    static let shortKey = """
        -----BEGIN PRIVATE KEY-----
        MIICeAIBADANBgkqhkiG9w0BAQEFAASCAmIwggJeAgEAAoGBAMcBIEewwvok8xH0
        1PFe58/zPcrkfjE3pPB/4kP28TUDQFxZPNlqZctaj5KVHLnRKBQL5eZDlCqlqslt
        QtvHwgzuu0DL/v7IbPgyvVJW1U5zC70RWb+5iOJeHVVtHvK1Pwn3xGdyZ5nX3nTy
        zuEK2A5LaEi4pTUfCHFQiZATPPB1AgMBAAECgYAVOzmGbIVgyrBkKgrN9aIlvX3K
        N7Z+6cDfJ8WsGpyBW2dyctLbH07c8zx+FwqJiJcODHbqqisUobgm5VFMwXMiXZDr
        VfjeU+g0KQFZN/2is6XM6pvaPemPnZq0EaxMd/Ypx89LF1anpzyCdLYgHrFwz6Sk
        qMXQOrG7KaWJmUl+AQJBAP71haYy6B6aQhCIVMwVe8vRHAID6oQOVGMiFQ1//0v5
        taUTTsUdokcES93dbXw0tqifeDHgZdL0g+gaCEIb5QkCQQDH0R8RucVaf9EJZrP5
        N4XdZfVm4tYF44FqfmmDV4y88hSLLvCZTrDCfms74N8rlCEdmvay6Db3piqAbad+
        apcNAkEAtvISTqmkqaDi2t4YisC3rg6EXGXW958YqnGgTamU1T1/O85Y7VRQR0kr
        7y2eDEv+7YxQQOnV5sORixBy8Iz3kQJBAJXL3VnhheUpiyFcIDIGANIQfJ+MEFzL
        yJp4eEthl/2SEfqhzvdvea3lLijulP/LheP251kKIyMXLCepjPaFnAUCQQDpBbIL
        +2rJjqKxrjJferQH3NWFQhQfgvkIIjiy6ifFcGUmAbuKRtSm8nWekK2Y5DVCKYmo
        DxUGnlqEC52WvmE4
        -----END PRIVATE KEY-----
        """

    /// A key that is not RSA.
    static let ellipticKey = """
        -----BEGIN EC PRIVATE KEY-----
        MHcCAQEEIHVr/5u9mOl8OC/VzChCpji3Ws4CwfbBZkFoEpvPGDxCoAoGCCqGSM49
        AwEHoUQDQgAEp7LtidJ9FyylrGwAKFSGtd0lQEy07lLDiyHFXRrNQPKFcgBor/uD
        Nb/hJxekvH/LNVCBy30S+4I2LGTkJdgIeQ==
        -----END EC PRIVATE KEY-----
        """

    /// The certificate's first and last second, as `openssl x509 -dates` tells them.
    static let certificateSeconds: (first: Int64, last: Int64) = (1_795_413_484, 2_110_773_484)

    /// What ``signature`` signs: a request of WeChat Pay's documentation.
    static let message = "GET\n/v3/certificates\n1554208460\n593BEC0C930BF1AFEB40B4A08C8FB242\n\n"

    /// `openssl dgst -sha256 -sign` of ``message``.
    static let signature =
        "C0+Tt54U6VIr+mT8y+IVpoqJXyA3z4liqy5iftIGUl6eZ7PDKJYbNHP06rDtY7Cl0GDicL+nyPPXFJu/"
        + "Dv+VksbAWMAXeLomOxKLq6OXJIZeMomWm7YVjOgQ9ADcflzYtuzg3YsHPCIyXR8hF9SBr+pW1jcLZ1C3"
        + "Moh9JEl/qq88f0/tIWGGS2zDk1PX5ot9zAT82wrWsbxYy+haRkZa5gu7RDiDR8jpaAKD++r/JlcYv69+"
        + "xP/tPRuISi41LVT9ejs3xh3cdDR9pcsfQT7XafJAkF/7OV4Q7mv8K320mviK8WHgkv5z8UW8D658MuJ6"
        + "0Q4yhcHBINz3MxzZp5FRZg=="
}
