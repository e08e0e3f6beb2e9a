# SPDX-License-Identifier: MIT
# A real sliding-window model (Gemma 3 270M): doctor and run, with a prompt longer than its window.

NAME     doctor tells what is mapped, what is repacked, and what is never done
REQUIRES gemma psi
RUN      $KVPSI doctor -m "$GEMMA"
EXPECT   /model +gemma-3-270m-q4_k_m.gguf: gemma3, GGUF version 3/
EXPECT   /weights +12\.7 MiB of weights are repacked into anonymous memory/
EXPECT   /sliding-window attention \(512 tokens\): its two KV caches are released and\s+spilled, never trimmed/
EXPECT   /room .*at most/

NAME     the governed text is that of the ungoverned run
REQUIRES gemma llama
RUN      speak() { $KVPSI run -m $GEMMA -p 'The river flows past the old mill and' --prompt-tokens 700 -n 32 -c 4096 -t 1 --ignore-eos -q "$@"; }
RUN      speak >governed && speak --governor off >stock && cmp governed stock && wc -c <governed
EXPECT   /^[1-9][0-9]+$/
TIMEOUT  120

NAME     no more is resident than tokens need, in the layers with a window no more than the window
REQUIRES gemma llama
RUN      $KVPSI run -m $GEMMA -p 'The river flows past the old mill and' --prompt-tokens 1000 -n 2 -c 16384 -t 1 --ignore-eos -q --json >s.json
RUN      python3 - <<'PY'
RUN      import json
RUN      s = json.load(open("s.json"))
RUN      kv, row = s["kv"], 1024  # K and V of a layer: one head of 256 values, f16
RUN      assert s["self_check"]["ok"] and not s["ungoverned"][1:], s["ungoverned"]
RUN      assert kv["tokens_final"] == 1001 and kv["bytes_per_cell"] == 18 * row, kv
RUN      window_cells = (kv["live_bytes"] - 1001 * 3 * row) / (15 * row)
RUN      assert 512 <= window_cells <= 768, window_cells
RUN      assert kv["reserved_bytes"] == (16384 * 3 + 768 * 15) * row, kv
RUN      assert kv["resident_bytes"] < 1.05 * kv["live_bytes"] + (1 << 20), kv
RUN      print("as many as needed")
RUN      PY
EXPECT   as many as needed
TIMEOUT  120

NAME     what was asked to be trimmed is refused by name, and nobody says that it will be
REQUIRES gemma llama
RUN      $KVPSI run -m $GEMMA -p Once -n 2 -t 1 --trim eager 2>&1 >/dev/null
EXPECT   kvpsi: not governed: a cache with a sliding window is released and spilled, never trimmed
REJECT   trimming is eager

NAME     the KV cap counts the rows of both caches
REQUIRES gemma llama
RUN      $KVPSI run -m $GEMMA -p Once -n 4000 -c 8192 --ignore-eos -t 1 --kv-max 2MiB --json -q >s.json
RUN      python3 -c 'import json; s=json.load(open("s.json")); print(s["stop_reason"], 9 << 17 < s["kv"]["live_bytes"] <= 2 << 20)'
EXPECT   kv_max True
TIMEOUT  120
