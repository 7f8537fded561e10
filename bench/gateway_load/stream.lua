-- A chat that is streamed.
wrk.method = "POST"
wrk.path = "/v1/chat/completions"
wrk.headers["content-type"] = "application/json"
wrk.body = '{"model":"tiny","messages":[{"role":"user","content":"' .. string.rep("hello world ", 80) .. '"}],"max_tokens":100,"stream":true}'

-- One line for the driver: requests, errors, and the latencies in microseconds.
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"errors":%d,"bytes":%d,"duration":%d,"p50":%d,"p99":%d}\n', summary.requests,
    e.connect + e.read + e.write + e.status + e.timeout, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99)))
end
