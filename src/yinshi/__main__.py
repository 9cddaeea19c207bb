"""`python -m yinshi` is `yinshi`: what `torchrun -m yinshi train …` starts."""

from yinshi.apps.cli.main import main

main()
