"""Become another program that dies with its parent: `python -I -S guard.py PARENT SIGNAL USER PROGRAM...`.

Run as a script by the supervisor: it drops to USER (when not "-"), asks Linux to send SIGNAL when the parent dies by
whatever means, and turns into PROGRAM. The order matters, as a change of user forgets the wish. Elsewhere than on Linux
the sweep at the next start finds what is left.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def drop_to(name: str) -> None:
    """Give up root for the named account, with its groups."""
    account = pwd.getpwnam(name)
    os.initgroups(name, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


def main() -> None:
    """Drop, bind to the parent, become the program."""
    parent, signal_number, user, *program = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    if user != "-":
        drop_to(user)
    if sys.platform == "linux":
        libc.prctl(PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
    # The parent may have died before the wish was heard.
    if os.getppid() == int(parent):
        os.execv(program[0], program)  # noqa: S606 - turning into it is the purpose


if __name__ == "__main__":
    main()
