"""pyinfra roles: each installs, configures and starts one part of a host."""
