# SPDX-License-Identifier: MIT
"""Reads C++ just well enough for the tidy test: blanks comments and literals, finds functions.

No parser: the house style (clang-format, no macros that open braces but the test ones) is what
makes these few rules right. Line numbers always survive.
"""
import re

_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^(\s]{0,16})\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.DOTALL)
_CONTAINER = re.compile(r'^\s*(?:inline\s+)?(?:namespace|class|struct|union|enum|extern\s+"")\b'
                        r"|^\s*template\s*<[^;{]*>\s*(?:class|struct|union)\b")
_ACCESS = re.compile(r"^\s*(?:public|private|protected)$")
_MEMBER_INIT = re.compile(r"\)[\s\w]*:(?!:)[^;]*[\w>]\s*$", re.DOTALL)


def blank(text, keep_includes=True):
    """The text with comments and literals replaced by blanks; newlines and include names stay."""
    def replace(match):
        token = match.group(0)
        line_start = text.rfind("\n", 0, match.start()) + 1
        if keep_includes and text[line_start:match.start()].lstrip().startswith("#include"):
            return token
        if token[0] in "\"R" and token[-1] == '"':
            return '"' + re.sub(r"[^\n]", " ", token[1:-1]) + '"'
        return re.sub(r"[^\n]", " ", token)
    return _TOKEN.sub(replace, text)


def _without_preprocessor(code):
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*",
                  lambda m: re.sub(r"[^\n]", " ", m.group(0)), code, flags=re.MULTILINE)


def _closing(code, opening):
    """Index of the brace that closes the one at `opening`, or the end of the text."""
    depth = 0
    for index in range(opening, len(code)):
        if code[index] == "{":
            depth += 1
        elif code[index] == "}":
            depth -= 1
            if depth == 0:
                return index
    return len(code) - 1


def find_functions(text):
    """Yields (first line, last line, head) of every function body outside other functions."""
    code = _without_preprocessor(blank(text, keep_includes=False))
    start = index = 0  # start: where the statement that leads to the next brace begins
    while index < len(code):
        char = code[index]
        if char in ";}":
            start = index + 1
        elif char == ":" and _ACCESS.search(code[start:index]):
            start = index + 1
        elif char == "{":
            head = code[start:index]
            plain = re.sub(r'"\s*"', '""', head).strip()
            if _MEMBER_INIT.search(plain):
                index = _closing(code, index) + 1  # `: member_{1}`: the body is still to come
                continue
            if _CONTAINER.match(plain):
                start = index + 1
            else:
                end = _closing(code, index)
                if "(" in plain and not re.search(r"(?<!operator)=\s*$", plain):
                    first = start + len(head) - len(head.lstrip())
                    yield (code.count("\n", 0, first) + 1, code.count("\n", 0, end) + 1,
                           " ".join(plain.split()))
                index = end
                start = index + 1
        index += 1
