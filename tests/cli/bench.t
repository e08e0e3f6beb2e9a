# kvpsi bench: what it refuses before anything runs, and the smallest benchmark there is.

NAME     an unknown squeeze
REQUIRES llama model
RUN      $KVPSI bench -m "$MODEL" --squeeze S9
EXPECT   kvpsi bench: 'S9' is not a squeeze: there are S1, S2, S3, reference
EXIT     2

NAME     nobody loses a tenant's context under S3
REQUIRES llama model
RUN      $KVPSI bench -m "$MODEL" --squeeze S3 --variants psi,small
EXPECT   variant small would lose tenants' context
EXPECT   for S3
EXIT     2

NAME     psi-strict is psi where nothing is trimmed
REQUIRES llama model
RUN      $KVPSI bench -m "$MODEL" --squeeze S1 --variants psi,psi-strict
EXPECT   psi never trims there
EXIT     2

NAME     an unknown variant
REQUIRES llama model
RUN      $KVPSI bench -m "$MODEL" --variants fixed,fast
EXPECT   'fast' is not a variant: there are unsqueezed, fixed, psi, psi-strict, release-only, trim-only, small
EXIT     2

NAME     an unknown order
REQUIRES llama model
RUN      $KVPSI bench -m "$MODEL" --variant-order sideways
EXPECT   there are fixed-first, psi-first, both, random
EXIT     2

NAME     small without psi
REQUIRES llama model
RUN      $KVPSI bench -m "$MODEL" --squeeze S2 --variants fixed,small
EXPECT   variant small takes its size from psi
EXIT     2

NAME     no model
REQUIRES llama
RUN      KVPSI_CACHE=$PWD $KVPSI bench
EXPECT   SmolLM2-135M-Instruct.Q4_1.gguf: cannot open the model
EXPECT   fetch it with `scripts/fetch.sh model`
EXIT     2

NAME     a file that is no model
REQUIRES llama
RUN      echo nonsense > m.gguf; $KVPSI bench -m m.gguf
EXPECT   m.gguf
EXIT     2

NAME     groups are what S1 is made of
REQUIRES llama model
RUN      $KVPSI bench -m "$MODEL" --squeeze S1 --scope system
EXPECT   S1 needs a group with a limit
EXIT     2

NAME     prompt and answer must fit
REQUIRES llama model
RUN      $KVPSI bench -m "$MODEL" -c 1024 --prompt-tokens 1000 -n 100
EXPECT   1000 prompt tokens and 100 to decode do not fit into -c 1024
EXIT     2

NAME     keep and tail must leave something
REQUIRES llama model
RUN      $KVPSI bench -m "$MODEL" -c 512 --prompt-tokens 100 -n 100 --keep 256 --tail 256
EXPECT   leave nothing to trim in a context of 512
EXIT     2

NAME     presets exclude each other
REQUIRES llama
RUN      $KVPSI bench --demo --full
EXIT     2

NAME     an out folder that cannot be
REQUIRES llama model
RUN      touch file; $KVPSI bench -m "$MODEL" --out-dir file/out
EXPECT   file/out: cannot make the folder
EXIT     3

NAME     a comparison with the simulation has its own sizes
REQUIRES llama
RUN      $KVPSI bench --against-simulation --limit-mib 300
EXPECT   --limit-mib
EXIT     2

NAME     repetitions are the comparison's
REQUIRES llama
RUN      $KVPSI bench --repetitions 3
EXPECT   --against-simulation
EXIT     2

NAME     no repetition at all
REQUIRES llama
RUN      $KVPSI bench --against-simulation --repetitions 0
EXPECT   --repetitions
EXIT     2

NAME     nothing to go on with
REQUIRES llama model
RUN      mkdir out; $KVPSI bench -m "$MODEL" --against-simulation --resume --out-dir out
EXPECT   out/results.json: there is no series to go on with
EXIT     2

NAME     a record that is cut
REQUIRES llama model
RUN      mkdir out; echo '{"schema":' > out/results.json
RUN      $KVPSI bench -m "$MODEL" --against-simulation --resume --out-dir out
EXPECT   the record does not parse
EXIT     2

NAME     the preflight is the doctor
REQUIRES llama psi
RUN      $KVPSI bench --preflight-only
EXPECT   /^(Ready|Not ready)/

NAME     the smallest benchmark, in a group of this machine
REQUIRES llama model cgroup-write
TIMEOUT  280
RUN      cp "$MODEL" m.gguf
RUN      $KVPSI bench -m m.gguf --squeeze S1 --variants psi --variant-order psi-first --trials 1 --variant-cooldown-s 0 -c 1024 --prompt-tokens 64 -n 16 --pressure-mib 16 --limit-mib 400 --out-dir out --quiet
RUN      python3 -c 'import json; r=json.load(open("out/results.json")); t=r["trials"][0]; assert r["context"]["complete"] and len(r["trials"])==1 and t["variant"]=="psi" and t["exit"]=="ok" and t["decoded"]==16, t; print("whole")'
RUN      test -s out/table.txt && test -s out/journal-1-psi.jsonl && test -s out/run-1-psi.json && echo files
EXPECT   whole
EXPECT   files

NAME     idle tenants have their later turns, and the neighbour is gone by then
REQUIRES llama model cgroup-write
TIMEOUT  280
RUN      cp "$MODEL" m.gguf
RUN      $KVPSI bench -m m.gguf --squeeze S3 --variants unsqueezed,psi --variant-order psi-first --trials 1 --variant-cooldown-s 0 --prompt-tokens 48 -n 16 --pressure-mib 16 --limit-mib 400 --out-dir out --json --quiet >r.json || exit 9
RUN      python3 - <<'PY'
RUN      import json
RUN      r = json.load(open("r.json"))
RUN      assert r == json.load(open("out/results.json"))
RUN      squeeze = r["context"]["squeezes"][0]
RUN      assert squeeze["tenants"] == 4 and squeeze["n_ctx"] == 512, squeeze
RUN      trials = r["trials"]; idle = [t["idle"] for t in trials]; names = [t["variant"] for t in trials]
RUN      assert all(t["exit"] == "ok" and t["decoded"] == 16 and t["tokens_trimmed"] == 0 and t["rest_s"] >= 1 for t in trials), trials
RUN      assert all(i["turns"] == 3 and i["first_token_ms_max"] >= i["first_token_ms_median"] > 0 for i in idle), idle
RUN      assert all(i["kv_bytes"] == 3 * 48 * 23040 and i["prefill_ms"] > 0 for i in idle), idle
RUN      phases = [[json.loads(line) for line in open(f"out/phases-1-{name}.jsonl")] for name in names]
RUN      assert all([p["phase"] for p in one] == ["load", "prefill", "decode", "rest", "then", "end"] for one in phases), phases
RUN      last = [int(open(f"out/neighbour-1-{name}.rounds").read().split("\n")[-2].split()[0]) for name in names]
RUN      assert all(one[2]["t_us"] < end < one[4]["t_us"] for one, end in zip(phases, last)), (last, phases)
RUN      print(*(f"{name} {i['turns_equal']}" for name, i in zip(names, idle)), sep="\n")
RUN      PY
EXPECT   unsqueezed None
EXPECT   psi 3
