"""200 texts that strangers choose: branches, messages, authors, titles. Each would do something if it were run."""

from __future__ import annotations

from pathlib import Path

__all__ = ["TRAP", "hostile"]

TRAP = "understudy-was-here"
"""The name of the file that each of them would make, wherever it is run."""

_RUNS = (
    *("$({0})", "`{0}`", ";{0};", "|{0}", "&&{0}", "||{0}", "\n{0}\n", "\r\n{0}", "$({0}", "<({0})", ">({0})"),
    *("';{0};'", '";{0};"', "'$({0})'", '"$({0})"', "\\`{0}\\`", "${{IFS}}{0}", "$(({0}))", "%0a{0}", "\t{0}\t"),
    *("{{{{ {0} }}}}", "${{{{ {0} }}}}", "<%= `{0}` %>", "#{{{0}}}", "{{% {0} %}}", "@({0})", "!{0}", "%{0}%", "~{0}"),
)
_WORDS = ("touch {0}", "touch${{IFS}}{0}", "id>{0}", 'python3 -c \'open("{0}","w")\'')
_OPTIONS = (
    "--upload-pack={0}",
    "-oProxyCommand={0}",
    "--output={0}",
    "--exec={0}",
    "-c core.pager={0}",
    "--",
    "-",
    "-x",
)
_PATHS = (
    *("../../{0}", "/var/{0}", "..", ".", "/", "a/../../{0}", "./{0}", "~/{0}", "C:\\{0}", "\\\\host\\{0}", ".git/{0}"),
    *("%2e%2e%2f{0}", "..\\..\\{0}", "{0}\0", "file:///{0}", "/dev/stdin", "/proc/self/environ", "con", "nul.txt"),
)
_MARKUP = (
    *("<script>{0}</script>", "<img src=x onerror={0}>", '"><svg/onload={0}>', "</title>{0}", "<!--{0}", "]]>{0}"),
    *("[{0}](javascript:alert(1))", "![{0}](https://a.example/i.png)", "<https://a.example/{0}>", "@everyone {0}"),
    *("@octocat {0}", "#1 {0}", "GH-1 {0}", "https://a.example/{0}", "www.a.example/{0}", "| {0} | b |", "```\n{0}"),
    *(
        "~~~\n{0}",
        "> {0}",
        "- [x] {0}",
        "<details>{0}",
        "&lt;{0}",
        "&#x3c;{0}",
        "</textarea>{0}",
        "<style>*{{}}</style>",
    ),
    *("javascript:{0}", "data:text/html,{0}", "</script><script>{0}", "-->{0}", "\u2028{0}", "<\u200bscript>{0}"),
)
_COMMANDS = (
    *("::set-output name=a::{0}", "::error file=a::{0}", "::add-mask::{0}", "::stop-commands::{0}", "##[error]{0}"),
    *("a<<EOF\n{0}\nEOF", "section_start:1:a\r\x1b[0K{0}", "##vso[task.setvariable variable=a]{0}", "\n::warning::{0}"),
)
_TERMINAL = (
    "\x1b[2J{0}",
    "\x1b]0;{0}\x07",
    "\x1b]8;;https://a.example\x1b\\{0}",
    "\x9b31m{0}",
    "\x07{0}",
    "\b\b{0}",
    "\r{0}",
)
_LETTERS = (
    "\u202e{0}",
    "\u200b{0}",
    "\ufeff{0}",
    "é" * 90 + "{0}",
    "💥{0}",
    "\uff21\uff22{0}",
    "\u0131{0}",
    "ß" * 60,
    "\ud800{0}",
    "a" * 5000,
)
_FORMATS = (
    "%s%s%n{0}",
    "{{0}}{0}",
    "{{x.__class__}}{0}",
    "%(name)s{0}",
    "$0{0}",
    "{0}'--",
    "' OR 1=1; {0}",
    "\\x41{0}",
)


def hostile(folder: Path | None = None) -> tuple[str, ...]:
    """The texts; what they would run makes `folder`/TRAP, by default in whatever folder it is run."""
    trap = str(folder / TRAP) if folder else TRAP
    commands = [word.format(trap) for word in _WORDS]
    run = [form.format(command) for form in _RUNS for command in commands]
    rest = (*_OPTIONS, *_PATHS, *_MARKUP, *_COMMANDS, *_TERMINAL, *_LETTERS, *_FORMATS)
    return tuple(dict.fromkeys((*run, *(form.format(trap) for form in rest))))
