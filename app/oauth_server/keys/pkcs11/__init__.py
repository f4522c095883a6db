"""Keys on a PKCS#11 token: an HSM, a TPM, SoftHSM. The module runs in processes of its own."""
