import CProto
import CProtobufC

/// The meta of a STRM packet: which stream it belongs to and what it says (rpc-wire, 1.8).
package struct StreamFrameMeta: Hashable, Sendable {
    /// The number of the **receiver's** end.
    package var streamID: Int64
    /// The number of the sender's end; absent in RST.
    package var sourceStreamID: Int64?
    /// What the frame is; nil for one we do not know, which is to be skipped.
    package var frameType: FrameType?
    /// The payload goes on in the stream's next DATA frame.
    package var hasContinuation: Bool = false
    /// FEEDBACK: payload bytes of this stream that the application has finished, in all.
    package var consumedSize: Int64?
    /// What our own ends add.
    package var envelopeExtension: EnvelopeExtension?

    /// Makes the meta of a frame.
    package init(streamID: Int64, sourceStreamID: Int64? = nil, frameType: FrameType?) {
        self.streamID = streamID
        self.sourceStreamID = sourceStreamID
        self.frameType = frameType
    }

    /// The number that stands for "no stream".
    package static let noStream: Int64 = -1

    /// What a STRM packet is.
    package enum FrameType: Int32, Hashable, Sendable {
        /// The sender gave the stream up.
        case reset = 1
        /// The stream ends after what was sent before.
        case close = 2
        /// A message or a fragment of one.
        case data = 3
        /// How far the receiver has got.
        case feedback = 4
    }

    /// Reads one meta.
    /// - Throws: ``WireError`` if the bytes do not parse or a required field is missing.
    package static func decode(
        _ bytes: UnsafeRawBufferPointer
    ) throws(WireError) -> StreamFrameMeta {
        var meta = StreamFrameMeta(streamID: noStream, frameType: nil)
        try EnvelopeArena.withUnpacked(bytes, by: tollgate__rpc__stream_frame_meta__unpack) {
            (pointer: UnsafePointer<Tollgate__Rpc__StreamFrameMeta>) throws(WireError) in
            let fields = pointer.pointee
            meta.streamID = fields.stream_id
            meta.sourceStreamID = fields.has_source_stream_id != 0 ? fields.source_stream_id : nil
            meta.frameType = FrameType(rawValue: fields.frame_type)
            meta.hasContinuation = fields.has_continuation != 0
            meta.consumedSize = fields.feedback?.pointee.consumed_size
            meta.envelopeExtension = try fields.extension.map {
                (pointer) throws(WireError) in try EnvelopeExtension(pointer)
            }
        }
        return meta
    }

    /// Writes the meta and lends its bytes, which live only while `body` runs.
    /// - Throws: ``WireError/unencodable(_:)`` if it is larger than any packet may be.
    package func encode(
        _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(WireError) {
        try EnvelopeArena.withPacked(
            dynamicBytes: envelopeExtension?.dynamicBytes ?? 0, { arena in lay(out: &arena) }, body)
    }

    private func lay(out arena: inout EnvelopeArena) -> UnsafeMutablePointer<ProtobufCMessage>? {
        guard let meta = arena.allocate(Tollgate__Rpc__StreamFrameMeta.self) else { return nil }
        tollgate__rpc__stream_frame_meta__init(meta)
        meta.pointee.stream_id = streamID
        if let sourceStreamID {
            meta.pointee.has_source_stream_id = 1
            meta.pointee.source_stream_id = sourceStreamID
        }
        if let frameType {
            meta.pointee.has_frame_type = 1
            meta.pointee.frame_type = frameType.rawValue
        }
        // bRPC writes the bit on every DATA frame; so do we.
        if hasContinuation || frameType == .data {
            meta.pointee.has_has_continuation = 1
            meta.pointee.has_continuation = hasContinuation ? 1 : 0
        }
        if let consumedSize,
            let feedback = arena.allocate(Tollgate__Rpc__Feedback.self)
        {
            tollgate__rpc__feedback__init(feedback)
            feedback.pointee.has_consumed_size = 1
            feedback.pointee.consumed_size = consumedSize
            meta.pointee.feedback = feedback
        }
        if let envelopeExtension {
            meta.pointee.extension = envelopeExtension.lay(out: &arena)
        }
        return UnsafeMutableRawPointer(meta).assumingMemoryBound(to: ProtobufCMessage.self)
    }
}
