"""The one error that stops a deploy before anything was changed."""

from pyinfra.api.exceptions import PyinfraError


class DeployError(PyinfraError):
    """Something the operator can mend; pyinfra prints the message and exits with 1."""
