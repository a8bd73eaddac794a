"""ask.py URL: with Python's own library."""
import os
import sys
import urllib.request

request = urllib.request.Request(sys.argv[1], headers={"X-Acme-Key": os.environ["ACME_KEY"]})
with urllib.request.urlopen(request, timeout=60) as answer:
    print(answer.read().decode(), end="")
