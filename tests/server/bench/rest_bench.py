#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a governed server holds when nobody talks to it, and what the next turn costs then.

Parts: rest (50 conversations have ended: memory a minute later, then the next turn of one of them),
cache (saved prompts when memory runs short: bytes returned, hits after relief), idle (an idle
server whose neighbour takes memory: how soon bytes are back). The last two need root.
KVPSI and MODEL: see server_process.py.
"""
import argparse
import http.client
import json
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import server_process  # noqa: E402  the path above comes first
from groups import Neighbour, Squeeze, forget_pages  # noqa: E402
from load import passage  # noqa: E402
from machine import begin  # noqa: E402

TOKENS = 16


def ask(server, prompt, **more):
    """The answer, its seconds to the first token and the tokens taken from the cache."""
    body = {"prompt": prompt, "n_predict": TOKENS, "temperature": 0, **more}
    status, text = server.request("POST", "/completion", body)
    assert status == 200, text
    answer = json.loads(text)
    timings = answer["timings"]
    return answer["content"], timings["prompt_ms"] / 1000, timings["cache_n"]


def first_token_s(server, prompt):
    """Seconds from the request to the first token, as the client sees it, and the whole answer."""
    body = {"prompt": prompt, "n_predict": TOKENS, "temperature": 0, "stream": True}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    started = time.monotonic()
    connection.request("POST", "/completion", json.dumps(body), server.headers)
    response = connection.getresponse()
    words, first = [], None
    for line in response:
        if line.startswith(b"data: {"):
            first = first or time.monotonic() - started
            words.append(json.loads(line[6:])["content"])
    connection.close()
    return first, "".join(words)


def conversation(i):
    """About 540 tokens, of which no two share the beginning."""
    return passage(i, 0, 26)


def rest(options):
    with server_process.Server("governed", "-c", "512") as server:
        fresh = server.memory("VmRSS")
    nth = options.conversations // 2
    turn = {}
    for kind in ("stock", "governed"):
        with server_process.Server(kind) as server:
            said = {}
            for i in range(options.conversations):
                said[i], prefill_s, _ = ask(server, conversation(i))
            ended = server.memory("VmRSS")
            time.sleep(options.rest_s)
            rested = server.memory("VmRSS")
            print(f"{kind}: resident after {options.conversations} conversations {ended:.0f} MiB, "
                  f"{options.rest_s} s later {rested:.0f} MiB, a fresh -c 512 {fresh:.0f} MiB: "
                  f"{rested - fresh:.1f} MiB more", flush=True)
            firsts = []
            for i in range(nth, nth + 5):
                first, text = first_token_s(server, conversation(i) + said[i] + " And then?")
                turn.setdefault(i, []).append(text)
                firsts.append(first)
            print(f"{kind}: first token of the next turn {statistics.median(firsts):.3f} s "
                  f"({min(firsts):.3f}..{max(firsts):.3f}), of a first turn {prefill_s:.3f} s: "
                  f"{statistics.median(firsts) / prefill_s:.3f}", flush=True)
    equal = sum(a == b for a, b in turn.values())
    print(f"next turns equal to stock's: {equal} of {len(turn)}", flush=True)


def cache(options):
    count = 8
    expected = {}
    flags = ("-c", "2048", "-np", "1")
    with server_process.Server("stock", *flags) as server:
        for i in range(count):
            ask(server, conversation(i))
        for i in range(count - 1):
            expected[i] = ask(server, conversation(i) + " So")
    forget_pages(server_process.MODEL)
    with Squeeze(options.limit_mib) as squeeze, \
            server_process.Server("governed", *flags, "--kv-idle-spill", "off",
                                  groups=squeeze.groups_of("server")) as server:
        for i in range(count):
            ask(server, conversation(i))
        before = server.pools()["prompt_cache"]
        anon = server.memory("RssAnon")
        with Neighbour(squeeze, options.limit_mib - 200, seconds=10) as neighbour:
            neighbour.process.wait()
        after = server.pools()["prompt_cache"]
        returned = after["parked_bytes"] / before["reserved_bytes"]
        print(f"cache: {before['reserved_bytes'] / 2**20:.1f} MiB of saved prompts, "
              f"{100 * returned:.2f} % on disk under pressure, anonymous {anon:.0f} -> "
              f"{server.memory('RssAnon'):.0f} MiB, neighbour ended with "
              f"{neighbour.process.returncode}", flush=True)
        time.sleep(15)
        got = {i: ask(server, conversation(i) + " So") for i in range(count - 1)}
        hits = sum(got[i][2] == expected[i][2] for i in got)
        same = sum(got[i][0] == expected[i][0] for i in got)
        print(f"cache: after relief {hits} of {len(got)} next turns hit as in stock, {same} say "
              f"the same", flush=True)


def idle(options):
    times = []
    for trial in range(options.trials):
        forget_pages(server_process.MODEL)
        with Squeeze(options.limit_mib) as squeeze, \
                server_process.Server("governed", "-c", "8192", "-np", "4", "--kv-idle-spill",
                                      "off", groups=squeeze.groups_of("server")) as server:
            for i in range(6):
                ask(server, conversation(10 * trial + i))
            time.sleep(20)  # idle, and calm
            full = server.memory("RssAnon")
            back = None
            with Neighbour(squeeze, options.limit_mib - 200, seconds=12) as neighbour:
                while time.monotonic() - neighbour.started < 10:
                    if back is None and full - server.memory("RssAnon") > 0.5 * (full - 25):
                        back = time.monotonic() - neighbour.started
                    time.sleep(0.01)
                neighbour.process.wait()
            left = server.memory("RssAnon")
            print(f"idle: anonymous {full:.0f} MiB, half of what can go was back "
                  f"{'never' if back is None else f'{back:.2f} s'} after the neighbour's start, "
                  f"{left:.0f} MiB left after 10 s; neighbour ended with "
                  f"{neighbour.process.returncode}, kills {squeeze.kills()}", flush=True)
            times.append(float("inf") if back is None else back)
    print(f"idle: median {statistics.median(times):.2f} s, worst {max(times):.2f} s", flush=True)


PARTS = {"rest": rest, "cache": cache, "idle": idle}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS), help="rest, cache, idle")
    parser.add_argument("--conversations", type=int, default=50)
    parser.add_argument("--rest-s", type=int, default=60)
    parser.add_argument("--limit-mib", type=int, default=420)
    parser.add_argument("--trials", type=int, default=5)
    options = parser.parse_args()
    begin(options)
    for name in options.parts:
        PARTS[name](options)


if __name__ == "__main__":
    main()
