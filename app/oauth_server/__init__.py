"""The OAuth2 authorization server that Portcullis installs on its hosts."""

__version__ = "0.1.0"
