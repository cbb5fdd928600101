import Testing

@testable import Sandbox

/// What the sandbox takes for a passive reply.
@Suite struct FlatXMLTests {
    @Test func aReplyIsReadWithAndWithoutItsDeclaration() {
        for head in ["", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", "<?xml version='1.0'?>"] {
            let text = head + FlatXML.document(FlatXML.text("Content", "a]]>b"), "<T>1</T>")
            #expect(FlatXML.parse(text) == ["Content": "a]]>b", "T": "1"])
        }
    }

    @Test(arguments: [
        "", "<xml>", "<xml><a>b</xml>", "<xml><a>b</a>", "<xml><a>b</a></xml>x",
        "<xml><a>b</a><a>c</a></xml>", "<xml><a><b>c</b></a></xml>", "<root><a>b</a></root>",
        "<!DOCTYPE xml [<!ENTITY e \"x\">]><xml><a>&e;</a></xml>",
        // The same in UTF-7.
        "<?xml version=\"1.0\" encoding=\"UTF-7\"?>+ADw-+ACE-DOCTYPE xml +AFs-+ADw-+ACE-ENTITY e "
            + "+ACI-x+ACI-+AD4-+AF0-+AD4-<xml><a>+ACY-e;</a></xml>",
    ])
    func whatIsNoReplyIsRefused(text: String) {
        #expect(FlatXML.parse(text) == nil)
    }
}
