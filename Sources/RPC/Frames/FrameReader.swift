import NIOCore
import TollgateKernel

/// Cuts what a connection reads into frames, and keeps no more than the frame under way.
///
/// It is asked for one frame after the other, so that whoever works on one may close the connection
/// or have the rest left out.
struct FrameReader {
    private var decoder: FrameDecoder
    private var buffer = ByteBuffer()
    /// Bytes to come of a frame that was given up.
    private var unwantedBytes = 0

    init(maximumBodyBytes: Int = Limits.rpcBodyBytes) {
        decoder = FrameDecoder(maximumBodyBytes: maximumBodyBytes)
    }

    /// Bytes of the frame that is not whole yet.
    var unfinishedBytes: Int { buffer.readableBytes }

    /// Memory that is kept, in bytes.
    var keptBytes: Int { buffer.storageCapacity }

    /// Takes in what was read.
    mutating func append(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.writeImmutableBuffer(bytes)
        }
        if unwantedBytes > 0 { leaveOut() }
    }

    /// The next frame; nil if none is whole.
    /// - Throws: ``FrameError`` if the bytes cannot be cut into frames.
    mutating func next() throws -> Frame? {
        if buffer.readableBytes > 0, let frame = try decoder.decode(buffer: &buffer) {
            return frame
        }
        leaveRead()
        return nil
    }

    /// Gives back the memory of a read whose frames were taken, if what is left of it is short.
    ///
    /// Little is lost by the copy: the memory is its channel's too, so that whatever comes next
    /// would move what is left in any case.
    private mutating func leaveRead() {
        guard buffer.storageCapacity > Limits.rpcUnfinishedFreeBytes, buffer.readerIndex > 0,
            buffer.storageCapacity / 2 >= buffer.readableBytes
        else { return }
        buffer = buffer.readableBytes == 0 ? ByteBuffer() : ByteBuffer(buffer: buffer)
    }

    /// Gives up the frame under way, and leaves out what is still to come of it; its beginning, if
    /// its meta is there.
    mutating func giveUp() -> Frame? {
        let here = buffer.readableBytes
        let start = buffer.readerIndex
        guard let (magic, sizes) = FrameDecoder.header(buffer),
            let kind = Frame.Kind(rawValue: magic), let (bodySize, metaSize) = sizes,
            let packet = buffer.getSlice(
                at: start + Frame.headerSize, length: here - Frame.headerSize),
            packet.readableBytes >= metaSize
        else { return nil }
        unwantedBytes = Frame.headerSize + bodySize - here
        buffer = ByteBuffer()
        return Frame(kind: kind, packet: packet, metaSize: metaSize)
    }

    private mutating func leaveOut() {
        let count = min(unwantedBytes, buffer.readableBytes)
        buffer.moveReaderIndex(forwardBy: count)
        unwantedBytes -= count
    }

    /// Forgets everything: nothing is read any more.
    mutating func forget() { buffer = ByteBuffer() }
}
