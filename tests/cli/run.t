# SPDX-License-Identifier: MIT
# `kvpsi run` with the real model: text, summary, ends.

NAME     greedy text is the same every time and goes to stdout alone
REQUIRES model llama
RUN      $KVPSI run -m $MODEL -p 'The capital of France is' -n 12 -t 1 2>/dev/null >one
RUN      $KVPSI run -m $MODEL -p 'The capital of France is' -n 12 -t 1 -q >two 2>&1
RUN      cmp one two && cat one
EXPECT   /^ Paris\./

NAME     the governor off gives the same text
REQUIRES model llama
RUN      $KVPSI run -m $MODEL -p 'The capital of France is' -n 40 -t 1 -q >one
RUN      $KVPSI run -m $MODEL -p 'The capital of France is' -n 40 -t 1 -q --governor off >two
RUN      cmp one two && echo equal
EXPECT   equal

NAME     a seed makes sampling repeat itself, another seed does not
REQUIRES model llama
RUN      sample() { $KVPSI run -m $MODEL -p Once -n 30 -t 1 --temp 1.5 --seed $1 -q; }
RUN      sample 7 >t1; sample 7 >t2; sample 8 >t3
RUN      cmp -s t1 t2 && ! cmp -s t1 t3 && echo seeded
EXPECT   seeded

NAME     the JSON summary has every member and stdout carries nothing else
REQUIRES model llama
RUN      $KVPSI run -m $MODEL -p Once -n 8 -t 1 -c 1024 --ignore-eos --json -q >summary.json || exit 9
RUN      python3 - <<'PY'
RUN      import json
RUN      s = json.load(open("summary.json"))
RUN      keys = {"schema","exit","stop_reason","model","model_bytes","n_ctx","n_batch","threads","seed","prompt_tokens","decoded","text","timing","token_t_us","kv","context","decode_end","scratch","memory","own_psi","cpu_us","governor","ungoverned","self_check"}
RUN      assert set(s) == keys, set(s) ^ keys
RUN      assert s["schema"] == "kvpsi.run/1" and s["stop_reason"] == "length" and s["exit"] == "ok"
RUN      assert s["decoded"] == 8 == len(s["token_t_us"]) and s["n_ctx"] == 1024
RUN      t = s["timing"]
RUN      assert t["start_us"] < t["loaded_us"] <= t["prefill_start_us"] < t["decode_start_us"] < t["decode_end_us"]
RUN      assert set(t["latency_ms"]) == {"p50", "p99", "max"} and t["tok_s"] > 0
RUN      kv = s["kv"]
RUN      assert kv["tokens_final"] == s["prompt_tokens"] + 7, kv
RUN      assert kv["live_bytes"] == kv["tokens_final"] * kv["bytes_per_cell"], kv
RUN      assert kv["reserved_bytes"] >= 1024 * kv["bytes_per_cell"] > 0
RUN      account = {"tokens_trimmed","tokens_spoiled","tokens_restored","tokens_reevaluated","tokens_lost","spilled_bytes","restored_bytes","restore_us","reduced_context_s"}
RUN      assert set(s["context"]) == account and not any(s["context"].values()), s["context"]
RUN      assert s["decode_end"]["kv"] == kv and s["decode_end"]["context"] == s["context"], s["decode_end"]
RUN      assert s["self_check"]["ok"] and s["self_check"]["bytes_returned"] > 0
RUN      assert s["memory"]["weights_file_bytes"] > 50 << 20
RUN      assert s["governor"]["enabled"] and s["governor"]["ticks"] >= 1 and s["governor"]["tokens_trimmed"] == 0
RUN      print("all members")
RUN      PY
EXPECT   all members

NAME     phases are told as they begin, and the run rests where that is asked
REQUIRES model llama
RUN      $KVPSI run -m $MODEL -p Once -n 4 -t 1 -c 512 --rest-s 0.4 --phases p.jsonl --json -q >s.json || exit 9
RUN      python3 - <<'PY'
RUN      import json
RUN      lines = [json.loads(line) for line in open("p.jsonl")]
RUN      times = [line["t_us"] for line in lines]
RUN      assert times == sorted(times), times
RUN      print(*(line["phase"] for line in lines), json.load(open("s.json"))["decode_end"]["rest_s"] >= 0.4)
RUN      PY
EXPECT   load prefill decode rest end True

NAME     phases may not overwrite the journal
REQUIRES model llama
RUN      $KVPSI run -m $MODEL -p Once --journal j --phases ./j
EXPECT   ./j: --journal and --phases are the same file
EXIT     2

NAME     the banner says where pressure comes from and that pages come back
REQUIRES model llama
RUN      $KVPSI run -m $MODEL -p Once -n 2 -t 1 2>&1 >/dev/null
EXPECT   kvpsi: pressure:
EXPECT   /self-check: .* came back/
EXPECT   /2 tokens after a prompt of [0-9]+/

NAME     trimming without a spill file says that it is final
REQUIRES model llama
RUN      $KVPSI run -m $MODEL -p Once -n 2 -t 1 --trim eager --spill-dir off 2>&1 >/dev/null
EXPECT   kvpsi: spill: off
EXPECT   leaves when memory or room is short, for good

NAME     a spill directory leaves nothing behind
REQUIRES model llama
RUN      mkdir spill && $KVPSI run -m $MODEL -p Once -n 2 -t 1 --spill-dir spill --spill-max 64MiB 2>&1 >/dev/null && ls -A spill | wc -l
EXPECT   spill: 64.0 MiB at most to spill
EXPECT   0

NAME     a stop string ends the text before it
REQUIRES model llama
RUN      $KVPSI run -m $MODEL -p 'Count: one two' -n 40 -t 1 --stop five --json -q
EXPECT   "stop_reason":"stop"
REJECT   five

NAME     the prompt is repeated up to a length and cut to it
REQUIRES model llama
RUN      $KVPSI run -m $MODEL -p 'one two three' --prompt-tokens 700 -n 1 -t 1 --json -q
RUN      $KVPSI run -m $MODEL -p 'one two three' --prompt-tokens 2 -n 1 -t 1 --json -q
RUN      $KVPSI run -m $MODEL -p 'one two three' --prompt-tokens 700 --prompt-head 64 --prompt-total 320 -n 1 -t 1 --json -q
EXPECT   "prompt_tokens":700
EXPECT   "prompt_tokens":2,
EXPECT   "prompt_tokens":320

NAME     a prompt file, and one from stdin
REQUIRES model llama
RUN      echo 'The capital of France is' >p; $KVPSI run -m $MODEL -f p -n 3 -t 1 -q && $KVPSI run -m $MODEL -f - -n 3 -t 1 -q <p
EXIT     0

NAME     the chat template is applied on request
REQUIRES model llama
RUN      $KVPSI run -m $MODEL --chat -p 'What is 2+2?' -n 40 -t 1 --json -q
EXPECT   "stop_reason":"eos"
EXPECT   /"prompt_tokens":[1-9][0-9],/

NAME     the time limit ends the decoding
REQUIRES model llama
RUN      $KVPSI run -m $MODEL -p Once -n 4000 -c 8192 --ignore-eos --time-max 0.5 -t 1 --json -q
EXPECT   "stop_reason":"time"

NAME     a full context ends the run with a line
REQUIRES model llama
RUN      $KVPSI run -m $MODEL -p Once -n 4000 -c 256 --ignore-eos -t 1 -q >/dev/null
EXPECT   the context of 256 tokens is full; raise -c

NAME     the KV cap ends the run where nothing may be trimmed
REQUIRES model llama
RUN      $KVPSI run -m $MODEL -p Once -n 4000 -c 8192 --ignore-eos -t 1 --kv-max 4MiB --json -q
EXPECT   "stop_reason":"kv_max"
EXPECT   stopped at --kv-max 4.00 MiB
TIMEOUT  60

NAME     the KV cap trims where that is allowed
REQUIRES model llama
RUN      $KVPSI run -m $MODEL -p Once -n 400 -c 8192 --ignore-eos -t 1 --kv-max 4MiB --trim eager --keep 16 --tail 64 --min-prune 16 --json -q >s.json
RUN      python3 -c 'import json; s=json.load(open("s.json")); print(s["stop_reason"], s["decoded"], s["governor"]["tokens_trimmed"] > 0, s["kv"]["live_bytes"] <= 4 << 20)'
EXPECT   length 400 True True
TIMEOUT  60

NAME     SIGINT ends the run cleanly with its summary
REQUIRES model llama
RUN      $KVPSI run -m $MODEL -p Once -n 4000 -c 8192 --ignore-eos -t 1 --json -q >s.json & run=$!
RUN      sleep 2; kill -INT $run; wait $run; code=$?; cut -c1-80 s.json; exit $code
EXPECT   "stop_reason":"interrupted"
TIMEOUT  60

NAME     SIGTERM while loading ends the run
REQUIRES model llama
RUN      $KVPSI run -m $MODEL -p Once -n 4000 -c 8192 --ignore-eos -t 1 -q >out & run=$!
RUN      sleep 0.02; kill -TERM $run; wait $run; echo "code $?"
EXPECT   /code (0|1|143)/
TIMEOUT  60

NAME     a reader that goes away ends the run
REQUIRES model llama
RUN      $KVPSI run -m $MODEL -p Once -n 4000 -c 8192 --ignore-eos -t 1 -q | head -c 10 >/dev/null; echo "codes ${PIPESTATUS[*]}"
EXPECT   codes 0 0
TIMEOUT  60

NAME     SIGUSR1 gives back and SIGUSR2 pauses, both are in the journal
REQUIRES model llama
RUN      $KVPSI run -m $MODEL -p Once -n 4000 -c 8192 --ignore-eos -t 1 -q --journal j.jsonl >/dev/null & run=$!
RUN      sleep 1.5; kill -USR1 $run; sleep 0.7; kill -USR2 $run; sleep 0.7; kill -INT $run; wait $run || exit 9
RUN      grep -c '"give_back_asked":true' j.jsonl; grep -q '"paused":true' j.jsonl && echo paused
EXPECT   /^1$/
EXPECT   paused
TIMEOUT  60

NAME     the governor off with a journal only records
REQUIRES model llama
RUN      $KVPSI run -m $MODEL -p Once -n 4000 -c 4096 --ignore-eos --time-max 2 -t 1 -q --governor off --journal j.jsonl --json >s.json
RUN      wc -l <j.jsonl; python3 -c 'import json; s=json.load(open("s.json")); g=s["governor"]; print(g["enabled"], g["kv_bytes_released"], s["kv"]["resident_bytes"] >= s["kv"]["reserved_bytes"] * 0.99)'
EXPECT   /^[12][0-9]$/
EXPECT   False 0 True
TIMEOUT  60

NAME     KV memory follows tokens, not -c
REQUIRES model llama
RUN      for c in 512 8192; do $KVPSI run -m $MODEL -p Once -n 2 -t 1 -c $c --json -q; done | python3 -c 'import json,sys; a,b=[json.loads(l)["memory"]["hwm_after_load_bytes"] for l in sys.stdin]; print("close" if b - a < 6 << 20 else b - a)'
EXPECT   close
