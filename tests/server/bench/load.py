# SPDX-License-Identifier: MIT
"""Clients that talk to a llama-server as users do: conversations of several turns over a stream,
each token counted when it arrives. A 503 is tried again when the server said."""
import concurrent.futures
import dataclasses
import http.client
import json
import time

TOPICS = ("river", "harbour", "mill", "quarry", "bridge", "orchard", "market", "lighthouse")


def passage(client, turn, sentences):
    """What this client says in this turn; no two begin alike. About 20 tokens a sentence."""
    topic = TOPICS[(client + turn) % len(TOPICS)]
    lines = (f"Note {client}.{turn}.{i}: the {topic} keeper wrote that day {i * 7 + turn} was calm."
             for i in range(sentences))
    return " ".join(lines) + f" What should the {topic} keeper do next?"


@dataclasses.dataclass
class Counts:
    """What the clients of one load have seen."""
    tokens: int = 0
    failed: int = 0
    refused: int = 0
    turns: list = dataclasses.field(default_factory=list)        # seconds of each whole turn
    first_tokens: list = dataclasses.field(default_factory=list)  # seconds to each first token
    errors: list = dataclasses.field(default_factory=list)

    def add(self, other):
        for field in dataclasses.fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


@dataclasses.dataclass(frozen=True)
class Load:
    """Clients that each talk for some turns, until they are done or time is up."""
    clients: int = 3
    turns: int = 5
    sentences: int = 12
    tokens: int = 40
    seconds: float = 30
    first: int = 0  # number of the first client; another one says other things


class Client:
    """One conversation."""

    def __init__(self, server, load, number, deadline):
        self.server, self.load, self.number, self.deadline = server, load, number, deadline
        self.counts = Counts()
        self.messages = []

    def left_s(self):
        return self.deadline - time.monotonic()

    def talk(self):
        for turn in range(self.load.turns):
            self.messages.append(
                {"role": "user", "content": passage(self.number, turn, self.load.sentences)})
            started = time.monotonic()
            said = self.ask_until_admitted(started)
            if said is None:
                break
            self.counts.turns.append(time.monotonic() - started)
            self.messages.append({"role": "assistant", "content": said})
        return self.counts

    def ask_until_admitted(self, started):
        """What the server said, or nothing where it failed or time is up."""
        while self.left_s() > 0:
            try:
                said, wait_s = self.ask(started)
            except (OSError, http.client.HTTPException, ValueError) as error:
                if self.left_s() > 0.5:
                    self.counts.failed += 1
                    self.counts.errors.append(repr(error)[:200])
                return None
            if wait_s is None:
                return said
            self.counts.refused += 1
            time.sleep(max(0, min(wait_s, self.left_s())))
        return None

    def ask(self, started):
        """One request: what was said, or after how many seconds to come again."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port,
                                                timeout=max(1, self.left_s()))
        body = {"messages": self.messages, "max_tokens": self.load.tokens, "temperature": 0,
                "stream": True, "ignore_eos": True}
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps(body),
                               self.server.headers)
            response = connection.getresponse()
            if response.status == 503 and response.getheader("Retry-After"):
                return None, float(response.getheader("Retry-After"))
            if response.status != 200:
                raise ValueError(f"{response.status}: {response.read(300)!r}")
            return self.read(response, started), None
        finally:
            connection.close()

    def read(self, response, started):
        words = []
        for line in response:
            if self.left_s() <= 0:
                return None
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[6:])
            if "error" in event:
                raise ValueError(str(event["error"]))
            word = event["choices"][0]["delta"].get("content") if event["choices"] else None
            if word is None:
                continue
            if not words:
                self.counts.first_tokens.append(time.monotonic() - started)
            words.append(word)
            self.counts.tokens += 1
        return "".join(words)


def talk_all(server, load):
    """All clients at once: what they saw together, and the seconds it took."""
    started = time.monotonic()
    clients = [Client(server, load, load.first + i, started + load.seconds)
               for i in range(load.clients)]
    total = Counts()
    with concurrent.futures.ThreadPoolExecutor(load.clients) as threads:
        for counts in threads.map(Client.talk, clients):
            total.add(counts)
    return total, time.monotonic() - started
