# SPDX-License-Identifier: MIT
"""A seeded mix of requests to a llama-server, of every kind it answers, at temperature 0.

A request is (method, path, body). Each list depends on the seed alone, so that every server is
asked the same in the same order: what one leaves in the cache, later ones reuse.
"""
import itertools
import json
import random

from server_process import events_of, normalise

PLACES = "river harbour mill quarry bridge lock weir canal mine forge lighthouse market".split()
TRADES = "miller mason pilot smith clerk weaver carter cooper brewer farmer".split()
GOODS = "wool slate salt coal grain timber copper rope glass cheese".split()
LIST = 'root ::= "- " [a-z]+ "\\n- " [a-z]+'
SCHEMA = {"type": "object", "required": ["trade"], "properties": {"trade": {"enum": TRADES[:3]}}}
TOOL = {"name": "find_boat", "description": "Finds a boat by its cargo",
        "parameters": {"type": "object", "properties": {"cargo": {"type": "string"}},
                       "required": ["cargo"]}}


class Mix:
    """Makes requests. Conversations grow, so that prompts share their beginnings."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.stories = [self.sentence() for _ in range(5)]
        self.talks = [[f"Who works at the {place}?"] for place in PLACES[:4]]

    def sentence(self):
        pick = self.random.choice
        return f"The {pick(TRADES)} of the {pick(PLACES)} sells {pick(GOODS)} and {pick(GOODS)}. "

    def story(self):
        """A text that was asked before, longer, cut, or as it was."""
        i = self.random.randrange(len(self.stories))
        how = self.random.random()
        if len(self.stories[i]) > 400:
            self.stories[i] = self.sentence()
        elif how < 0.4:
            self.stories[i] += self.sentence()
        elif how < 0.6:
            self.stories[i] = self.stories[i][: self.random.randrange(40, 120)]
        return self.stories[i]

    def messages(self):
        """A conversation and its next turn; now and then one that begins anew."""
        talk = self.random.choice(self.talks)
        if len(talk) > 4 or self.random.random() < 0.2:
            del talk[1:]
        else:
            talk += [self.sentence(), f"And {self.random.choice(GOODS)}?"]
        return [{"role": ("user", "assistant")[i % 2], "content": text}
                for i, text in enumerate(talk)]

    def tokens(self):
        return self.random.randrange(1, 5)

    def completion(self, **more):
        return "POST", "/completion", {"prompt": self.story(), "n_predict": self.tokens(),
                                       "temperature": 0, **more}

    def chat(self, **more):
        return "POST", "/v1/chat/completions", {"messages": self.messages(), "temperature": 0,
                                                "max_tokens": self.tokens(), **more}

    def parallel(self):
        """Several prompts in one request: all slots, in batches that form alike every time."""
        return self.completion(prompt=[self.story(), self.sentence(), self.sentence()])

    def legacy(self, **more):
        return "POST", "/v1/completions", {"prompt": self.story(), "max_tokens": self.tokens(),
                                           "temperature": 0, **more}

    def responses(self, **more):
        return "POST", "/v1/responses", {"input": self.messages()[-1]["content"], "temperature": 0,
                                         "max_output_tokens": self.tokens(), **more}

    def anthropic(self, **more):
        return "POST", "/v1/messages", {"messages": self.messages(), "max_tokens": self.tokens(),
                                        "temperature": 0, **more}

    def infill(self):
        return "POST", "/infill", {"input_prefix": f"int {self.random.choice(GOODS)}(",
                                   "input_suffix": "}\n", "n_predict": self.tokens(),
                                   "temperature": 0}

    def tool_call(self):
        tool = {"type": "function", "function": TOOL}
        return self.chat(tools=[tool], tool_choice=self.random.choice(["required", "auto"]),
                         max_tokens=8)

    def slot(self):
        action = self.random.choice(["save", "save", "restore", "restore", "erase"])
        path = f"/slots/{self.random.randrange(3)}?action={action}"
        return "POST", path, {"filename": "slot.bin"}

    def small(self):
        """What needs no batch."""
        pick = self.random.choice
        return pick([("POST", "/tokenize", {"content": self.sentence(), "with_pieces": True}),
                     ("POST", "/detokenize", {"tokens": self.random.sample(range(9, 9000), 5)}),
                     ("POST", "/apply-template", {"messages": self.messages()}),
                     ("POST", "/v1/messages/count_tokens", {"messages": self.messages()}),
                     ("GET", "/v1/models", None), ("GET", "/slots", None), ("GET", "/props", None),
                     ("POST", "/completion", {"n_predict": 3}),
                     ("POST", "/v1/chat/completions", {"messages": "none"})])

    def any(self):
        """One request of any kind."""
        others = [(10, self.slot), (20, self.small), (5, self.infill)]
        return self.choose(self.generations() + others)

    def generation(self):
        """One request for text."""
        return self.choose(self.generations())

    def choose(self, kinds):
        weights, makers = zip(*kinds)
        return self.random.choices(makers, weights)[0]()

    def generations(self):
        """Makers of requests for text, and how often each comes."""
        stream = {"stream": self.random.random() < 0.5}
        return [
            (12, lambda: self.completion(**stream)),
            (12, lambda: self.chat(**stream)),
            (5, lambda: self.completion(n_probs=3, **stream)),
            (4, lambda: self.chat(logprobs=True, top_logprobs=2, **stream)),
            (4, lambda: self.completion(stop=[".", " the"], n_predict=8, **stream)),
            (4, lambda: self.completion(grammar=LIST, n_predict=6)),
            (4, lambda: self.completion(json_schema=SCHEMA, n_predict=12)),
            (2, lambda: self.chat(response_format={"type": "json_schema", "json_schema": {
                "schema": SCHEMA}}, max_tokens=12)),
            (4, lambda: self.completion(n_cmpl=2)),
            (4, lambda: self.chat(n=2)),
            (6, self.parallel),
            (3, lambda: self.completion(cache_prompt=False)),
            (3, lambda: self.completion(id_slot=self.random.randrange(3))),
            (2, lambda: self.completion(prompt=self.random.sample(range(9, 9000), 8))),
            (4, lambda: self.legacy(logprobs=2)),
            (4, lambda: self.legacy(**stream)),
            (5, lambda: self.responses(**stream)),
            (5, lambda: self.anthropic(**stream)),
            (3, self.tool_call),
        ]

    def embedding(self):
        texts = [self.sentence() for _ in range(self.random.randrange(1, 4))]
        path = self.random.choice(["/embedding", "/v1/embeddings"])
        return "POST", path, {"content" if path == "/embedding" else "input": texts}

    def sure(self):
        """What is answered alike in whatever batch: the next word is far ahead of any other."""
        first = self.random.randrange(2, 30)
        numbers = ", ".join(str(n) for n in range(first, first + 14))
        return "POST", "/completion", {"prompt": f"{numbers},", "n_predict": 3, "temperature": 0}


def take(make, count):
    """That many requests."""
    return list(itertools.islice(iter(make, None), count))


def ask(server, request):
    """Status and answer without what differs from run to run."""
    method, path, body = request
    status, text = server.request(method, path, body)
    if body and body.get("stream") and status == 200:
        return status, normalise(events_of(text))
    return status, normalise(json.loads(text))
