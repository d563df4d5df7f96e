"""What a command may say when it fails."""


class ClusterError(Exception):
    """Something outside is not as it must be: no MongoDB, a busy port, a member that does not answer.

    The message is one sentence that says what to do; the command line prints it and exits non-zero. What was done
    before stays done, and running the command again goes on from there.
    """
