/// What the official account shows the person in answer to a push (`reference` section 1.9).
package enum PassiveReply {
    /// What says “received, nothing to show”.
    package static let silence = "success"

    /// A text, as XML.
    package static func text(
        _ text: String, to openID: String, from officialAccount: String, createdAtSeconds: Int64
    ) -> String {
        """
        <xml><ToUserName>\(characterData(openID))</ToUserName>\
        <FromUserName>\(characterData(officialAccount))</FromUserName>\
        <CreateTime>\(createdAtSeconds)</CreateTime>\
        <MsgType><![CDATA[text]]></MsgType>\
        <Content>\(characterData(text))</Content></xml>
        """
    }

    /// A sealed reply, as XML.
    package static func sealed(
        _ sealed: String, signature: String, timestamp: String, nonce: String
    ) -> String {
        """
        <xml><Encrypt>\(characterData(sealed))</Encrypt>\
        <MsgSignature>\(characterData(signature))</MsgSignature>\
        <TimeStamp>\(timestamp)</TimeStamp>\
        <Nonce>\(characterData(nonce))</Nonce></xml>
        """
    }

    /// A CDATA section; an end mark inside the text is split over two sections.
    static func characterData(_ text: String) -> String {
        var result = "<![CDATA["
        var brackets = 0
        for scalar in text.unicodeScalars {
            if scalar == ">", brackets >= 2 { result += "]]><![CDATA[" }
            brackets = scalar == "]" ? brackets + 1 : 0
            // XML 1.0 knows no control characters but tab, line feed and carriage return.
            let isText = scalar.value >= 0x20 || scalar == "\t" || scalar == "\n" || scalar == "\r"
            result.unicodeScalars.append(isText ? scalar : " ")
        }
        return result + "]]>"
    }
}
