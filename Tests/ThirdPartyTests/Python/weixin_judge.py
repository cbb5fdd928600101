"""Makes and reads official-account messages with wechatpy.

Reads a JSON array of operations from standard input and writes a JSON array of results. An
operation that wechatpy refuses gives {"error": "<exception's name>"}.
"""

import json
import sys

from wechatpy import parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.exceptions import InvalidSignatureException
from wechatpy.replies import TextReply
from wechatpy.utils import WeChatSigner, check_signature


def sign(token, timestamp, nonce):
    signer = WeChatSigner()
    signer.add_data(token, timestamp, nonce)
    return signer.signature


def make(operation):
    """A text from one user to another; wechatpy has one form for pushes and replies."""
    xml = TextReply(
        source=operation["from"], target=operation["to"], content=operation["text"]
    ).render()
    result = {
        "signature": sign(operation["token"], operation["timestamp"], operation["nonce"]),
        "body": xml,
    }
    if operation["mode"] == "aes":
        crypto = WeChatCrypto(operation["token"], operation["key"], operation["appID"])
        result["body"] = crypto.encrypt_message(xml, operation["nonce"], operation["timestamp"])
    return result


def read(operation):
    """What a message says, after every check that wechatpy knows."""
    if "signature" in operation:
        check_signature(
            operation["token"],
            operation["signature"],
            operation["timestamp"],
            operation["nonce"],
        )
    body = operation["body"]
    if operation["mode"] == "aes":
        crypto = WeChatCrypto(operation["token"], operation["key"], operation["appID"])
        body = crypto.decrypt_message(
            body, operation["messageSignature"], operation["timestamp"], operation["nonce"]
        )
    message = parse_message(body)
    return {
        "type": message.type,
        "from": message.source,
        "to": message.target,
        "text": getattr(message, "content", None),
        "event": getattr(message, "event", None),
        "scene": getattr(message, "scene_id", None),
    }


def run(operation):
    try:
        return {"make": make, "read": read}[operation["operation"]](operation)
    except InvalidSignatureException as error:
        return {"error": type(error).__name__}


json.dump([run(operation) for operation in json.load(sys.stdin)], sys.stdout)
