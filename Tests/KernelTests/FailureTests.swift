import Testing
import TollgateKernel

/// Codes are a promise to clients: this table may grow, never change.
@Suite struct FailureTests {
    private static let golden: [String: (status: Int, wire: Int32)] = [
        "invalid_request": (400, 14_000),
        "unauthenticated": (401, 14_010),
        "quota_exhausted": (402, 14_020),
        "account_frozen": (403, 14_030),
        "model_not_permitted": (403, 14_031),
        "forbidden": (403, 14_032),
        "not_found": (404, 14_040),
        "in_progress": (409, 14_090),
        "already_answered": (409, 14_091),
        "mismatch": (409, 14_092),
        "conflict": (409, 14_093),
        "content_refused": (422, 14_220),
        "rate_limited": (429, 14_290),
        "upstream_failed": (502, 15_020),
        "truncated": (502, 15_021),
        "upstream_timed_out": (504, 15_040),
        "unavailable": (503, 15_030),
        "unknown_outcome": (500, 15_000),
        "internal_error": (500, 15_001),
        "deadline_exceeded": (504, 1_008),
        "cancelled": (499, 125),
    ]

    @Test func `every code has the status and the number that clients know`() {
        for code in Failure.Code.allCases {
            #expect(Self.golden[code.rawValue]?.status == code.httpStatus, "\(code)")
            #expect(Self.golden[code.rawValue]?.wire == code.wireCode, "\(code)")
        }
        #expect(Self.golden.count == Failure.Code.allCases.count)
    }

    @Test func `numbers are unique and lead back to their code`() {
        let numbers = Failure.Code.allCases.map(\.wireCode)
        #expect(Set(numbers).count == numbers.count)
        for code in Failure.Code.allCases {
            #expect(Failure.Code(wireCode: code.wireCode) == code)
        }
    }

    @Test func `our own numbers stay clear of the transport's`() {
        let borrowed: [Failure.Code] = [.deadlineExceeded, .cancelled]
        for code in Failure.Code.allCases where !borrowed.contains(code) {
            #expect(code.wireCode > 3_000)
        }
        for number: Int32 in [0, 1, 1_001, 1_003, 2_001, 14_001, -1, .max] {
            #expect(Failure.Code(wireCode: number) == nil)
        }
    }

    @Test func `a failure tells its code and its sentence`() {
        let failure = Failure(.rateLimited, "Wait a moment.", retryAfterMilliseconds: 1_500)
        #expect(failure.description == "rate_limited: Wait a moment.")
        #expect(failure.retryAfterMilliseconds == 1_500)
        #expect(Failure(.conflict, "x") != Failure(.mismatch, "x"))
    }

    @Test func `a store error tells its kind`() {
        #expect(StoreError.constraint("lot_held").description == "constraint: lot_held")
        #expect(StoreError.conflict("order 1").description == "conflict: order 1")
        #expect(StoreError.corrupt("state 9").description == "corrupt: state 9")
        #expect(StoreError.engine("disk full").description == "engine: disk full")
    }
}
