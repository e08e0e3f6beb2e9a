#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves that the tidy test sees what it forbids: each case is a small tree with one violation,
and a clean tree has none."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import source_text  # noqa: E402
import tidy_test  # noqa: E402

HEADER = "// SPDX-License-Identifier: MIT\n// A file of the self-test.\n"
CLEAN = {
    "src/base/a.h": HEADER + "#pragma once\nint f();\n",
    "src/base/a.cpp": HEADER + '#include "base/a.h"\nint f() { return 1; }\n',
    "src/linux/b.cpp": HEADER + '#include "base/a.h"\nint g() { return f(); }\n',
    "tests/unit/base/a_test.cpp": HEADER + '#include "base/a.h"\n',
}


def find_violations(files=None):
    """The violations of CLEAN with some files added or replaced."""
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for name, text in {**CLEAN, **(files or {})}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tidy_test.Tidy(root).run()


class TidyTest(unittest.TestCase):
    def expect(self, name, text, what):
        violations = find_violations(files={name: text})
        self.assertTrue(any(v.startswith(name + ":") and what in v for v in violations),
                        f"{what!r} not among {violations}")

    def test_a_clean_tree_has_no_violation(self):
        self.assertEqual(find_violations(), [])

    def test_an_include_against_the_order(self):
        self.expect("src/base/a.cpp", HEADER + '#include "linux/b.h"\n#include "base/a.h"\n',
                    "not below src/")
        violations = find_violations(files={
            "src/linux/b.h": HEADER + "#pragma once\n",
            "src/base/a.cpp": HEADER + '#include "base/a.h"\n#include "linux/b.h"\n'})
        self.assertIn("src/base/a.cpp:4: base includes linux/b.h: linux is below it in the order "
                      "of the house", violations)

    def test_engine_headers_outside_llama(self):
        for include in ('"llama.h"', "<ggml-backend.h>", '"llama-kv-cache.h"', "<gguf.h>"):
            self.expect("src/linux/b.cpp", HEADER + f"#include {include}\n", "see the engine")
        self.assertEqual(find_violations(files={
            "src/llama/k.cpp": HEADER + '#include "llama.h"\n#include "base/a.h"\n'}), [])

    def test_outside_libraries(self):
        self.expect("src/linux/b.cpp", HEADER + "#include <fmt/format.h>\n", "must not use fmt")
        self.expect("src/policy/p.cpp", HEADER + "#include <chrono>\n", "is pure")

    def test_caps(self):
        body = "  f();\n"
        self.expect("src/base/a.cpp", HEADER + '#include "base/a.h"\n' + "int x;\n" * 400,
                    "403 lines, 400 at most")
        self.expect("src/base/a.cpp",
                    HEADER + '#include "base/a.h"\nvoid h() {\n' + body * 59 + "}\n",
                    "function of 61 lines")
        self.expect("src/base/a.cpp", HEADER + '#include "base/a.h"\nint ' + "x" * 100 + ";\n",
                    "105 columns")

    def test_file_header(self):
        self.expect("src/base/a.cpp", '#include "base/a.h"\n', "SPDX")
        self.expect("src/base/a.cpp", HEADER.splitlines()[0] + "\nint x;\n", "file header of 0")
        self.expect("src/base/a.h", HEADER + "int f();\n", "#pragma once")

    def test_banned_calls(self):
        calls = {
            "std::chrono::steady_clock::now()": "reads a clock",
            "clock_gettime(0, &t)": "reads a clock",
            "printf(text)": "prints",
            "std::cerr << 1": "prints",
            'fmt::print("x")': "prints",
            "std::abort()": "ends the process",
            "exit(1)": "ends the process",
            "posix_madvise(p, n, 4)": "use madvise",
            "fork()": "forks",
        }
        for call, what in calls.items():
            self.expect("src/linux/b.cpp", HEADER + f"void g() {{ {call}; }}\n", what)

    def test_words_in_comments_and_literals_are_not_calls(self):
        text = HEADER + '// Never printf(x) or fork().\nconst char* k = "abort() exit(1)";\n'
        self.assertEqual(find_violations(files={"src/linux/b.cpp": text}), [])

    def test_members_named_like_banned_calls(self):
        text = HEADER + "int g(App& app) { return app.exit(1) + p->printf(2); }\n"
        self.assertEqual(find_violations(files={"src/linux/b.cpp": text}), [])

    def test_markers_and_numbers(self):
        self.expect("src/base/a.cpp", HEADER + '#include "base/a.h"\n// TO' + "DO later\n",
                    "leftover marker")
        self.expect("docs/x.md", "see issue" + " #12\n", "by number")

    def test_dead_files(self):
        self.expect("src/base/alone.h", HEADER + "#pragma once\n", "no file but its own")
        self.expect("src/base/deep/x.cpp", HEADER, "no target builds this")
        self.expect("src/other/x.cpp", HEADER, "no target builds this")
        self.expect("tests/unit/base/helper.cpp", HEADER, "no target builds this")

    def test_unit_folders(self):
        violations = find_violations(files={"tests/unit/journal/x_test.cpp": HEADER})
        self.assertEqual(violations, ["tests/unit/journal:1: mirrors no folder of src/"])


class FunctionsTest(unittest.TestCase):
    def find(self, text):
        return [(first, last) for first, last, _ in source_text.find_functions(text)]

    def test_methods_constructors_and_templates(self):
        text = ("namespace a {\nclass B {\n public:\n  B() : x_{1}, y_(2) {\n    go();\n  }\n"
                "  int x() const { return x_; }\n};\ntemplate <class T>\nT twice(T v) {\n"
                "  auto f = [&](int i) { return i; };\n  return f(v) * 2;\n}\n}  // namespace a\n")
        self.assertEqual(self.find(text), [(4, 6), (7, 7), (9, 13)])

    def test_tables_are_not_functions(self):
        self.assertEqual(self.find("constexpr A kA[] = {\n  {1, f(2)},\n};\nint z = 0;\n"), [])

    def test_macros_of_tests_are(self):
        self.assertEqual(self.find("TEST(A, B) {\n  x();\n}\n"), [(1, 3)])

    def test_braces_in_literals_do_not_count(self):
        text = "void f() {\n  g('{', \"}}\", R\"(})\");\n}\nint x;\n"
        self.assertEqual(self.find(text), [(1, 3)])


if __name__ == "__main__":
    unittest.main()
