"""The engine's error tree and the one table that maps what the Pulumi CLI says to it.

EngineError                       a verb failed; the root, a ProvisionError
|-- StackNotFoundError            no such stack on the backend
|-- StackExistsError              the stack is there already
|-- StackNotEmptyError            removal refused: resources are left
|-- StackLockedError              another process holds the stack (who, where, since when)
|-- PluginMissingError            a provider is neither attached nor installed
|-- PassphraseError               the passphrase is wrong or missing
|-- BackendError                  the place of the state cannot be read or written
|-- ProgramError                  the Pulumi program raised
|-- ResourceFailedError           a resource could not be created, changed or deleted
|-- InterruptedOperationError     it was told to end before it was done
|-- CliUnsupportedError           the CLI does not know a flag or command
`-- EngineCrashedError            the CLI died
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from understudy.engine.stale_locks import Lock
from understudy.errors import ProvisionError
from understudy.provider.complaint import ours

__all__ = [
    "RULES",
    "BackendError",
    "CliUnsupportedError",
    "EngineCrashedError",
    "EngineError",
    "InterruptedOperationError",
    "PassphraseError",
    "PluginMissingError",
    "ProgramError",
    "ResourceFailedError",
    "Rule",
    "StackExistsError",
    "StackLockedError",
    "StackNotEmptyError",
    "StackNotFoundError",
    "classify",
    "program_failed",
]

_LONGEST = 2000
"""Characters of foreign output in a message: enough for a traceback, not for a log."""


_QUOTA = re.compile(r"\b(?!Request|Bandwidth)(?:TooMany(?!Requests)[A-Z]\w*|\w*(?:Limit|Quota)\w*Exceeded\w*)\b")
"""The codes by which AWS's services say that a quota is reached, and not that they have no time."""

_QUOTA_HINT = (
    "A quota of the account is reached: Service Quotas in AWS's console has it, and takes the request for more. "
    "`understudy list --target aws` shows which environments could go."
)


class EngineError(ProvisionError):
    """A verb of the engine failed. `verb` and `stack` say which, on what."""

    def __init__(self, message: str, *, hint: str = "", verb: str = "", stack: str = "") -> None:
        super().__init__(message, hint=hint)
        self.verb = verb
        self.stack = stack


class StackNotFoundError(EngineError):
    """There is no such stack on the backend."""


class StackExistsError(EngineError):
    """The stack is there already."""


class StackNotEmptyError(EngineError):
    """The stack still has resources, so it was not removed."""


class StackLockedError(EngineError):
    """Other processes hold the stack: `locks` says who; none: the CLI did not say it of each."""

    locks: tuple[Lock, ...] = ()


class PluginMissingError(EngineError):
    """A provider is neither attached nor installed, or does not answer."""


class PassphraseError(EngineError):
    """The passphrase of the stack's secrets is wrong or missing."""


class BackendError(EngineError):
    """The place of the state cannot be read or written."""


class ProgramError(EngineError):
    """The Pulumi program raised; the exception is the cause where it is known."""


class ResourceFailedError(EngineError):
    """A resource could not be created, changed or deleted. `urn` is the first that failed, `reason` what was said."""

    def __init__(self, urn: str, reason: str, *, verb: str = "", stack: str = "", hint: str = "") -> None:
        name = urn.rsplit("::", 1)[-1]
        kind = urn.split("::")[2].rsplit("$", 1)[-1] if urn.count("::") > 2 else "resource"  # noqa: PLR2004 - urn:pulumi:stack::project::type::name
        super().__init__(
            f"Ran `{verb}` on {stack or 'a stack'}, and {kind} {name!r} failed: {reason or 'no reason was given'}",
            hint=hint or (_QUOTA_HINT if kind.startswith("aws:") and _QUOTA.search(reason) else ""),
            verb=verb,
            stack=stack,
        )
        self.urn = urn
        self.reason = reason


class InterruptedOperationError(EngineError):
    """It was told to end before it was done. `killed`: not in time, so what was in flight is not recorded."""

    exit_code = 130
    killed = False


class CliUnsupportedError(EngineError):
    """The CLI does not know a flag or a command."""


class EngineCrashedError(EngineError):
    """The CLI died."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Output that matches `pattern` means `error`; `hint` is what to do about it."""

    pattern: re.Pattern[str]
    error: type[EngineError]
    hint: str


def _rule(pattern: str, error: type[EngineError], hint: str = "") -> Rule:
    return Rule(re.compile(pattern), error, hint)


RULES: tuple[Rule, ...] = (
    _rule(
        r"the stack is currently locked by",
        StackLockedError,
        "Wait for the other process. If it is dead, `pulumi cancel` deletes its lock.",
    ),
    _rule(r"no stack named '[^']*' found", StackNotFoundError, "`pulumi stack ls --all` lists the stacks."),
    _rule(r"stack '[^']*' already exists", StackExistsError),
    _rule(r"still has resources; removal rejected", StackNotEmptyError, "Destroy the stack first."),
    _rule(
        r"no (?:resource|language|analyzer) plugin '[^']*' found|did not begin responding to RPC connections"
        r"|could not (?:load|find) (?:\w+ )?plugin|could not find latest version for provider",
        PluginMissingError,
        "The provider has to be attached to the engine, or installed with `pulumi plugin install`.",
    ),
    _rule(
        r"incorrect passphrase|passphrase must be set with|unable to read PULUMI_CONFIG_PASSPHRASE_FILE",
        PassphraseError,
        "Set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to the passphrase the stack was made with.",
    ),
    _rule(
        r"unable to open bucket|(?:read|write|list) \"?\.pulumi/|could not list bucket|failed to load checkpoint"
        r"|problem logging in|PULUMI_ACCESS_TOKEN must be set",
        BackendError,
        "Check PULUMI_BACKEND_URL, and that its place exists and can be written.",
    ),
    _rule(r"unknown (?:shorthand )?flag|unknown command", CliUnsupportedError, "Pulumi 3.200 or newer is needed."),
    _rule(
        r"python inline source runtime error|(?m:^The program failed:)|an unhandled error occurred"
        r"|failed with an unhandled exception|Program failed with",
        ProgramError,
    ),
    _rule(r"(?:update|refresh|destroy|preview|operation) canceled", InterruptedOperationError),
    _rule(r"(?m)^(?:panic: |fatal error: |goroutine \d+ \[)", EngineCrashedError),
)
"""In the order in which they are tried; the texts are those of the CLI 3.200."""

_LOCK = re.compile(r"created by (?P<user>\S+)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)")

_COUNT = re.compile(r"currently locked by (\d+) lock")


def classify(text: str, *, verb: str, stack: str, code: int | None = None) -> EngineError:
    """What the CLI's output means, as an error that is ready to be raised.

    Args:
        text: What it said: standard error, error diagnostics, or standard output.
        verb: What was tried, in the CLI's words.
        stack: On what.
        code: The exit code; a negative one is the signal that ended it, as in subprocess.
    """
    said = text.strip().removeprefix("error: ")[:_LONGEST]
    for rule in RULES:
        if rule.pattern.search(text):
            error = rule.error(_message(verb, stack, said), hint=rule.hint, verb=verb, stack=stack)
            return _with_locks(error, text)
    if code is not None and code < 0:
        said = f"the CLI was ended by signal {-code}. {said}".strip()
        return EngineCrashedError(_message(verb, stack, said), verb=verb, stack=stack)
    said = said or f"it exited with {code} and said nothing"
    return EngineError(_message(verb, stack, said), verb=verb, stack=stack)


def program_failed(raised: BaseException, *, verb: str, stack: str) -> ProgramError:
    """The error for a program that raised; one of our own errors says all that is needed by itself."""
    said = ours(raised)
    if said is not None:
        return ProgramError(str(said.args[0]), hint=said.hint, verb=verb, stack=stack)
    what = f"the program raised {type(raised).__name__}: {raised}"
    return ProgramError(f"Ran `{verb}` on {stack}, and {what}", verb=verb, stack=stack)


def _message(verb: str, stack: str, said: str) -> str:
    where = f" on {stack}" if stack else ""
    return f"Ran `{verb}`{where}, and it failed: {said}"


def _with_locks(error: EngineError, text: str) -> EngineError:
    """The error with the locks that the CLI named, if those are as many as it counted."""
    if isinstance(error, StackLockedError):
        found = tuple(
            Lock(each["user"], each["host"], int(each["pid"]), each["since"]) for each in _LOCK.finditer(text)
        )
        counted = _COUNT.search(text)
        error.locks = found if counted is None or int(counted[1]) == len(found) else ()
    return error
