# SPDX-License-Identifier: MIT
# The frame of the command line: help, version, words that nobody knows, files and variables.

NAME     no command shows the help and is a usage error
RUN      $KVPSI
EXPECT   usage: kvpsi COMMAND [OPTIONS]
EXPECT   /^  run +/
EXPECT   /^  status +/
EXIT     2

NAME     --help lists commands and exit codes
RUN      $KVPSI --help
EXPECT   usage: kvpsi COMMAND [OPTIONS]
EXPECT   KVPSI_<OPTION>

NAME     serve without a server says how to build one
REQUIRES llama
RUN      cp $KVPSI kvpsi-alone; ./kvpsi-alone serve --port 0
EXPECT   kvpsi-server is not there: the server is built only when asked for; run `make serve`
EXIT     3

NAME     --version prints one line
RUN      $KVPSI --version
EXPECT   /^kvpsi [0-9]+\.[0-9]+\.[0-9]+$/

NAME     a mistyped command gets a suggestion
RUN      $KVPSI statsu
EXPECT   kvpsi: unknown command 'statsu', did you mean 'status'?
EXIT     2

NAME     a command far from all gets the way to the list
RUN      $KVPSI elephant
EXPECT   kvpsi: unknown command 'elephant'; `kvpsi --help` lists them
EXIT     2

NAME     an unknown option is refused in one line, with a suggestion
RUN      $KVPSI status --pdi 3 2>err; code=$?; cat err; wc -l <err; exit $code
EXPECT   kvpsi status: unknown option '--pdi', did you mean '--pid'?
EXPECT   /^1$/
EXIT     2

NAME     an argument that no option takes is refused
RUN      $KVPSI status extra
EXPECT   unexpected argument 'extra'
EXIT     2

NAME     a number that is none is refused with its range
RUN      $KVPSI status --pid abc
EXPECT   --pid: 'abc' is not a number from 1 to 4194304
EXIT     2

NAME     the environment sets an option and the flag beats it
RUN      KVPSI_PID=4194304 $KVPSI status; KVPSI_PID=4194304 $KVPSI status --pid 4194303
EXPECT   no governed run has process id 4194304
EXPECT   no governed run has process id 4194303
EXIT     1

NAME     a configuration file sets an option and the environment beats it
RUN      printf '[status]\npid = 4194304\n[run]\nthreads = 3\n' >c.toml
RUN      $KVPSI status --config c.toml; KVPSI_PID=4194303 $KVPSI status --config c.toml
EXPECT   no governed run has process id 4194304
EXPECT   no governed run has process id 4194303
EXIT     1

NAME     an unknown key of the configuration file is named
RUN      printf 'pdi = 7\n' >c.toml; $KVPSI status --config c.toml
EXPECT   unknown key 'pdi' in the configuration file; did you mean 'pid'?
EXIT     2

NAME     an unknown section of the configuration file is named
RUN      printf '[statos]\npid = 7\n' >c.toml; $KVPSI status --config c.toml
EXPECT   unknown section [statos]
EXIT     2

NAME     a configuration file that is not there is named
RUN      $KVPSI status --config absent.toml
EXPECT   absent.toml
EXIT     2

NAME     help of a command shows options with their variables
RUN      $KVPSI status --help
EXPECT   KVPSI_PID
EXPECT   --json
EXPECT   --config FILE
