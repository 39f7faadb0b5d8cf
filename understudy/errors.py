"""The error tree: each says what was tried, on what, what happened and what to do, and has its exit code.

UnderstudyError                      exit
|-- UsageError                       2    bad option, configuration or input
|   `-- NotFoundError                7    no such environment
|-- ToolError                        2    Docker, git or Pulumi is missing or does not answer
|-- ProvisionError                   3    build, engine, readiness
|   `-- EngineError                  3    see understudy.engine.errors for its own tree; 130 when interrupted
|-- EnvironmentFailedError           3    a service died while tests ran
|-- TestsFailedError                 1    a test failed
|   `-- HaltedError                  1    one failed in another part of the run
|-- LimitError                       7    a limit leaves no room; nothing was created
|-- NotTestedError                   7    all was made, on a target that runs nothing of it
|-- SupersededError                  7    a newer commit of the branch is run instead
|-- LeftoversError                   4    something remained, or nobody could look
|-- ExportError                      6    evidence could not be written
`-- InterruptedRunError              130  a signal or another command ended it
"""

from __future__ import annotations

__all__ = [
    "EnvironmentFailedError",
    "ExportError",
    "HaltedError",
    "InterruptedRunError",
    "LeftoversError",
    "LimitError",
    "NotFoundError",
    "NotTestedError",
    "ProvisionError",
    "SupersededError",
    "TestsFailedError",
    "ToolError",
    "UnderstudyError",
    "UsageError",
]


class UnderstudyError(Exception):
    """The root. The message is one paragraph for a person; `hint` is what to do about it."""

    exit_code = 3
    phase = ""
    """The phase of a run in which it was raised, where that is known."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text}\n{self.hint}" if self.hint else text


class UsageError(UnderstudyError):
    """A bad option, configuration or input; nothing was created."""

    exit_code = 2


class NotFoundError(UsageError):
    """There is no such environment."""

    exit_code = 7


class ToolError(UnderstudyError):
    """Docker, git or Pulumi is missing or does not answer; nothing was created."""

    exit_code = 2


class ProvisionError(UnderstudyError):
    """An image could not be built, a resource not be created, or a service did not get ready."""

    exit_code = 3


class EnvironmentFailedError(UnderstudyError):
    """A service died for good, was killed for memory or turned unhealthy while tests ran; no test is to blame."""

    exit_code = 3


class TestsFailedError(UnderstudyError):
    """At least one test failed."""

    exit_code = 1
    __test__ = False  # not a pytest class


class HaltedError(TestsFailedError):
    """Another part of the run failed, which ended the tests of this one."""


class LeftoversError(UnderstudyError):
    """After destroy something remained, or nobody could look."""

    exit_code = 4


class ExportError(UnderstudyError):
    """Evidence could not be written."""

    exit_code = 6


class LimitError(UnderstudyError):
    """A limit leaves no room on the target; nothing was created."""

    exit_code = 7


class NotTestedError(UnderstudyError):
    """What was made runs nowhere, as on an emulator of AWS's calls alone; no test was begun, and none has failed."""

    exit_code = 7


class SupersededError(UnderstudyError):
    """A newer commit of the branch is run instead; what was created is removed."""

    exit_code = 7


class InterruptedRunError(UnderstudyError):
    """A signal, or another command that asked for it, ended the work; what was created is removed."""

    exit_code = 130

    @classmethod
    def by(cls, asked: str, error: UnderstudyError) -> InterruptedRunError:
        """What failed after the end was `asked` for (`""`: after a signal), as interrupted by that."""
        why = f", because another command asked for it ({asked})" if asked else ""
        return cls(f"Interrupted{why}: {error}")
