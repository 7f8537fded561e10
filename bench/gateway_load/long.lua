-- A prompt of 400 KB (about 100 000 tokens), a new one each time: no prefix is ever shared.
local count = 0
local tail = string.rep(" lorem ipsum dolor sit amet consectetur", 10000)
local headers = { ["content-type"] = "application/json" }
request = function()
  count = count + 1
  local body = '{"model":"tiny","messages":[{"role":"user","content":"' .. count .. tail .. '"}],"max_tokens":8}'
  return wrk.format("POST", "/v1/chat/completions", headers, body)
end

-- One line for the driver: requests, errors, and the latencies in microseconds.
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"errors":%d,"bytes":%d,"duration":%d,"p50":%d,"p99":%d}\n', summary.requests,
    e.connect + e.read + e.write + e.status + e.timeout, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99)))
end
