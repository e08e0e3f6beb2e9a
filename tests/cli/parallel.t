# SPDX-License-Identifier: MIT
# `kvpsi run` with several conversations: what is printed of each, its ends, and bad input.

NAME     conversations are shown whole as they end, by number, and the idle one after all
REQUIRES model llama
RUN      printf '%s\n' '{"prompt": "Once upon a time", "predict": 0, "then": 9}' '{"prompt": "The capital of France is", "predict": 12}' '' '{"prompt": "One two three", "predict": 5}' '{"prompt": "The sky is", "predict": 6}' >p.jsonl
RUN      $KVPSI run -m $MODEL --parallel 3 --prompts p.jsonl -t 1 -c 1024 -q --ignore-eos >out || exit 9
RUN      cat out; grep -o '^\[[0-9]\]' out | tr -d '\n'; echo; tail -n +1 out | wc -l
EXPECT   /^\[1\]  Paris\./
EXPECT   [2][3][1][0]

NAME     with one sequence conversations follow each other without a heading
REQUIRES model llama
RUN      printf '{"prompt": "The capital of France is", "predict": 3}\n{"prompt": "One two three", "predict": 3}\n' | $KVPSI run -m $MODEL --prompts - -t 1 -c 512 -q >out
RUN      $KVPSI run -m $MODEL -p 'The capital of France is' -n 3 -t 1 -c 512 -q >one
RUN      head -1 out | cmp - <(head -1 one) && grep -c '^\[' out; true
EXPECT   /^0$/

NAME     a text file holds conversations with a line between them
REQUIRES model llama
RUN      printf 'The capital of France is\n---\nOne two three\n' >p.txt
RUN      $KVPSI run -m $MODEL --parallel 2 -f p.txt -n 4 -t 1 -c 512 --json -q | python3 -c 'import json,sys; s=json.load(sys.stdin); print(s["parallel"], [(c["index"], c["prompt_tokens"], c["decoded"]) for c in s["conversations"]])'
RUN      $KVPSI run -m $MODEL -f p.txt -n 4 -t 1 -c 512 --json -q | python3 -c 'import json,sys; s=json.load(sys.stdin); print("conversations" in s, s["prompt_tokens"] > 10)'
EXPECT   2 [(0, 5, 4), (1, 4, 4)]
EXPECT   False True

NAME     the summary tells of each conversation, and of their first turns together
REQUIRES model llama
RUN      printf '%s\n' '{"prompt": "Once upon", "predict": 0, "then": 6, "prompt_tokens": 40}' '{"prompt": "The capital of France is", "predict": 12}' '{"prompt": "Two", "predict": 0}' >p.jsonl
RUN      $KVPSI run -m $MODEL --parallel 3 --prompts p.jsonl -t 1 -c 1024 -q --ignore-eos --json --phases f.jsonl >s.json || exit 9
RUN      python3 - <<'PY'
RUN      import json
RUN      s = json.load(open("s.json"))
RUN      a, b, c = s["conversations"]
RUN      assert (a["idle"], b["idle"], c["idle"]) == (True, False, True)
RUN      assert (a["prompt_tokens"], a["prefilled"], a["decoded"], a["then"]["decoded"]) == (40, 39, 0, 6), a
RUN      assert a["live_tokens"] == 45 and c["live_tokens"] == c["prompt_tokens"] and b["live_tokens"] == b["prompt_tokens"] + 11
RUN      assert b["then"] is None and c["then"] is None and b["stop_reason"] == a["then"]["stop_reason"] == "length"
RUN      assert b["decode_start_us"] <= b["first_token_us"] < b["decode_end_us"] < a["then"]["decode_start_us"] < a["then"]["first_token_us"]
RUN      assert s["decoded"] == 12 and s["text"] == b["text"] and len(s["token_t_us"]) == 12
RUN      assert s["timing"]["decode_end_us"] < a["then"]["decode_start_us"] and s["timing"]["tok_s"] == b["tok_s"] > 0
RUN      assert s["decode_end"]["kv"]["tokens_final"] == 39 + c["prompt_tokens"] and s["kv"]["tokens_final"] == c["prompt_tokens"]
RUN      print(*(json.loads(line)["phase"] for line in open("f.jsonl")))
RUN      PY
EXPECT   load prefill decode rest then end

NAME     a full context ends who cannot go on, the others go on
REQUIRES model llama
RUN      printf '{"prompt": "One two", "prompt_tokens": 120, "predict": 100}\n{"prompt": "Red blue", "prompt_tokens": 120, "predict": 100}\n' >p.jsonl
RUN      $KVPSI run -m $MODEL --parallel 2 --prompts p.jsonl -t 1 -c 256 -q --ignore-eos --json 2>err | python3 -c 'import json,sys; print([(c["stop_reason"], c["decoded"]) for c in json.load(sys.stdin)["conversations"]])'; cat err
EXPECT   [('length', 100), ('context_full', 9)]
EXPECT   kvpsi: conversation 1 stopped: the context of 256 tokens is full; raise -c

NAME     a cap on KV memory is told of whom it ended
REQUIRES model llama
RUN      printf '{"prompt": "One two", "prompt_tokens": 90, "predict": 50}\n{"prompt": "Red blue", "prompt_tokens": 90, "predict": 50}\n' >p.jsonl
RUN      $KVPSI run -m $MODEL --parallel 2 --prompts p.jsonl -t 1 -c 512 -q --ignore-eos --kv-max 4400KiB >out; cat out | wc -l
EXPECT   kvpsi: conversation 1 stopped at --kv-max 4.30 MiB; raise it, or allow --trim eager

NAME     Ctrl-C ends all conversations with what there is
REQUIRES model llama
RUN      for i in 1 2 3; do echo '{"prompt": "Once", "predict": 3000, "then": 5}'; done >p.jsonl; echo '{"prompt": "x", "predict": 1}' >>p.jsonl
RUN      $KVPSI run -m $MODEL --parallel 4 --prompts p.jsonl -c 16384 --ignore-eos -t 1 -q --json >s.json & run=$!
RUN      sleep 3; kill -INT $run; wait $run; echo "code $?"
RUN      python3 -c 'import json; s=json.load(open("s.json")); print(s["stop_reason"], [c["stop_reason"] for c in s["conversations"]], [c["then"]["stop_reason"] for c in s["conversations"][:3]], all(c["decoded"] > 0 for c in s["conversations"]))'
EXPECT   code 0
EXPECT   interrupted ['interrupted', 'interrupted', 'interrupted', 'length'] ['interrupted', 'interrupted', 'interrupted'] True
TIMEOUT  60

NAME     SIGTERM writes the text there is
REQUIRES model llama
RUN      printf '{"prompt": "Once", "predict": 3000}\n{"prompt": "Twice", "predict": 3000}\n' >p.jsonl
RUN      $KVPSI run -m $MODEL --parallel 2 --prompts p.jsonl -c 8192 --ignore-eos -t 1 -q >out & run=$!
RUN      sleep 3; kill -TERM $run; wait $run; echo "code $?"; grep -o '^\[[0-9]\]' out
EXPECT   code 0
EXPECT   [0]
EXPECT   [1]
TIMEOUT  60

NAME     -c is for all together, and a share of it without a unified cache
REQUIRES model llama
RUN      for flag in --kv-unified --no-kv-unified; do $KVPSI run -m $MODEL --parallel 4 -p Once -n 1 -t 1 -c 1000 $flag --json -q | python3 -c 'import json,sys; print(json.load(sys.stdin)["n_ctx"])'; done
RUN      $KVPSI run -m $MODEL --parallel 3 -p Once -n 1 -t 1 -c 300 --no-kv-unified --json -q | python3 -c 'import json,sys; print(json.load(sys.stdin)["n_ctx"])'
RUN      $KVPSI run -m $MODEL --parallel 2 -p Once -n 1 -t 1 -c 9000 --json -q | python3 -c 'import json,sys; print(json.load(sys.stdin)["n_ctx"])'
EXPECT   /^1024\n1024\n768\n9216$/

NAME     more context than all conversations could use
REQUIRES model llama
RUN      $KVPSI run -m $MODEL --parallel 2 -p x -c 16385
EXPECT   -c 16385 is beyond the 16384 tokens that this model was trained for with 2 sequences
EXIT     2

NAME     more sequences than a batch has tokens
REQUIRES model llama
RUN      $KVPSI run -m $MODEL --parallel 5 --n-batch 2 -p 'The capital of France is' -n 2 -t 1 -c 512 -q
EXPECT   [0]  Paris

NAME     a file of conversations that is empty
REQUIRES llama
RUN      : >p; $KVPSI run -m x.gguf --prompts p
EXPECT   kvpsi run: p: the prompt file is empty
EXIT     2

NAME     a file of blank lines
REQUIRES llama
RUN      printf '\n \n' >p; $KVPSI run -m x.gguf --prompts p
EXPECT   kvpsi run: p: the file holds no conversation
EXIT     2

NAME     a file of conversations that is absent
REQUIRES llama
RUN      $KVPSI run -m x.gguf --prompts absent.jsonl
EXPECT   kvpsi run: absent.jsonl: cannot read the prompt file
EXIT     2

NAME     a line that is no JSON
REQUIRES llama
RUN      printf '{"prompt": "a"}\n\n{"prompt": \n' >p; $KVPSI run -m x.gguf --prompts p 2>err; code=$?; cat err; wc -l <err; exit $code
EXPECT   kvpsi run: p:3: this line is no JSON
EXPECT   /^1$/
EXIT     2

NAME     a line that is no UTF-8
REQUIRES llama
RUN      printf '{"prompt": "a\xff"}\n' >p; $KVPSI run -m x.gguf --prompts p
EXPECT   kvpsi run: p:1: this line is no JSON
EXIT     2

NAME     a line that is no object
REQUIRES llama
RUN      printf '["a"]\n' >p; $KVPSI run -m x.gguf --prompts p
EXPECT   kvpsi run: p:1: this line is no JSON object
EXIT     2

NAME     a line with an unknown key, which reaches no terminal as it is
REQUIRES llama
RUN      printf '{"prompt": "a", "pre\\u001bdict": 3}\n' >p; $KVPSI run -m x.gguf --prompts p
EXPECT   kvpsi run: p:1: unknown key 'pre\x1bdict'; known are prompt, predict, then, prompt_tokens
EXIT     2

NAME     numbers that are none
REQUIRES llama
RUN      for what in '"predict": -1' '"predict": 1.5' '"then": "3"' '"prompt_tokens": null' '"predict": 99999999999'; do echo "{\"prompt\": \"a\", $what}" >p; $KVPSI run -m x.gguf --prompts p; echo "code $?"; done
EXPECT   p:1: 'predict' must be a whole number from 0 to 1073741824
EXPECT   p:1: 'then' must be
EXPECT   p:1: 'prompt_tokens' must be
REJECT   /code [^2]/

NAME     a prompt that is empty or missing
REQUIRES llama
RUN      for line in '{"prompt": ""}' '{"prompt": 3}' '{"predict": 3}'; do echo "$line" >p; $KVPSI run -m x.gguf --prompts p; echo "code $?"; done
EXPECT   p:1: 'prompt' must be a text that is not empty
EXPECT   p:1: 'prompt' is missing
REJECT   /code [^2]/

NAME     an empty conversation in a text file
REQUIRES llama
RUN      printf 'a\n---\n\n---\nb\n' >p; $KVPSI run -m x.gguf --parallel 2 -f p; code=$?; printf 'a\n---\n' >p; $KVPSI run -m x.gguf --parallel 2 -f p; exit $code
EXPECT   kvpsi run: p:3: an empty conversation begins here
EXIT     2

NAME     a conversation that is longer than the context
REQUIRES llama model
RUN      printf '{"prompt": "a"}\n{"prompt": "b", "prompt_tokens": 512}\n' >p; $KVPSI run -m $MODEL --prompts p --parallel 2 -c 512
EXPECT   kvpsi run: p:2: the prompt has 512 tokens and the context 512 for a conversation: raise -c
EXIT     2

NAME     a conversation that is longer than its share
REQUIRES llama model
RUN      printf '{"prompt": "a"}\n{"prompt": "b", "prompt_tokens": 300}\n' >p; $KVPSI run -m $MODEL --prompts p --parallel 2 -c 512 --no-kv-unified
EXPECT   kvpsi run: p:2: the prompt has 300 tokens and the context 256 for a conversation: raise -c
EXIT     2

NAME     sequences that are none or too many
REQUIRES llama
RUN      for n in 0 257 x; do $KVPSI run -m x.gguf -p x --parallel $n; echo "code $?"; done
EXPECT   --parallel
EXPECT   256
REJECT   /code [^2]/

NAME     conversations from two places
REQUIRES llama
RUN      echo '{"prompt": "a"}' >p; $KVPSI run -m x.gguf -p x --prompts p; code=$?; $KVPSI run -m x.gguf -f p --prompts p; exit $code
EXPECT   kvpsi run: -p and --prompts exclude each other
EXPECT   kvpsi run: -f and --prompts exclude each other
EXIT     2

NAME     conversations that would wait for a seat for ever
REQUIRES llama
RUN      for i in 1 2 3; do echo '{"prompt": "a", "predict": 0}'; done >p; $KVPSI run -m x.gguf --prompts p --parallel 2
EXPECT   kvpsi run: p: 3 of 3 conversations stay in the cache
EXPECT   raise --parallel
EXIT     2

NAME     the journal may not overwrite the conversations
REQUIRES llama
RUN      echo '{"prompt": "a"}' >p; $KVPSI run -m x.gguf --prompts p --journal ./p
EXPECT   would overwrite what this run reads
EXIT     2
