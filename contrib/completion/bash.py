#!/usr/bin/env python3
"""Prints bash's completion of a daemon's flags, made from its --help.

usage: bash.py PROGRAM
"""
import os
import re
import subprocess
import sys

FILES = re.compile(r"(file|config|kubeconfig|dir|path|bin-dir)$")

program = sys.argv[1]
name = os.path.basename(program)
text = subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout
flags = re.findall(r"^  (--[\w-]+)", text, re.M)
paths = [f for f in flags if FILES.search(f)]
function = "_" + name.replace("-", "_")
print(f"""# bash completion for {name}
{function}() {{
	local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}}
	if [[ $prev == = && COMP_CWORD -ge 2 ]]; then
		prev=${{COMP_WORDS[COMP_CWORD-2]}}
	fi
	[[ $cur == = ]] && cur=
	case $prev in
	{'|'.join(paths)})
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "{' '.join(flags)}" -- "$cur")
}}
complete -o filenames -F {function} {name}""")
