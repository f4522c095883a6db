"""What a person sees while the server is away: without it there is nobody else to say so."""

import base64
import hashlib

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1.125rem/1.6 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1.5rem}"
    "h1{font-size:1.6rem;line-height:1.2}"
)

STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
"""For the page's Content-Security-Policy."""

# One line without a quote or a dollar sign, which mean something to nginx.
PAGE = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta name="robots" content="noindex"><title>Just a moment</title>'
    f"<style>{_STYLE}</style></head><body><main><h1>Just a moment</h1>"
    "<p>The login service does not answer at present. Nothing is lost, and nothing was done twice: "
    'wait a few seconds and <a href="">try again</a>.</p>'
    "<p>If it keeps happening, tell whoever runs this service.</p></main></body></html>"
)
