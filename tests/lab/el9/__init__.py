"""EL 9's layout, made of Debian's packages: its paths, unit names, users, rpm and dnf.

It is an emulation: nothing that runs on it has run on RHEL or one of its kin.
"""
