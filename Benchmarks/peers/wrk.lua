-- Sends the echo's JSON, checks each answer, and ends with the line of `tell` in measure.h.
local message = '"message":"' .. string.rep("tollgate", 8) .. '"'
wrk.method = "POST"
wrk.body = "{" .. message .. "}"
wrk.headers["Content-Type"] = "application/json"
wrong = 0

function response(status, headers, body)
    if status ~= 200 or not body:find(message, 1, true) then wrong = wrong + 1 end
end

local threads = {}
function setup(thread) table.insert(threads, thread) end

function done(summary, latency, requests)
    local failed = summary.errors.connect + summary.errors.read + summary.errors.write
        + summary.errors.status + summary.errors.timeout
    for _, thread in ipairs(threads) do failed = failed + (thread:get("wrong") or 0) end
    if failed > 0 then
        io.stderr:write("wrk: " .. failed .. " answers were wrong or missing\n")
        os.exit(1)
    end
    io.write(string.format(
        '{"count":%d,"seconds":%.6f,"cpuSeconds":0,"p50Microseconds":%.3f,'
            .. '"p99Microseconds":%.3f,"commitMicroseconds":0,"version":""}\n',
        summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99)))
end
