# gnuplot script of kvpsi; redraw with: gnuplot plot.gp
set encoding utf8
set datafile separator tab
set datafile missing 'nan'
do for [kind in 'svg png'] {
if (kind eq 'svg') { set terminal svg size 1044,1330 font 'DejaVu Sans,11' background '#ffffff' }
if (kind eq 'png') { set terminal pngcairo size 1044,1330 font 'DejaVu Sans,9' background '#ffffff' }
set output 'plot.'.kind
set multiplot
set border 3 lc rgb '#666666'
set tics out nomirror
set grid ytics lc rgb '#e4e4e4'
set arrow 1 from 0,graph 0 to 0,graph 1 nohead lc rgb '#999999' dt 3
set label 1 'kvpsi 0.1.0: SmolLM2-135M-Instruct.Q4_1.gguf' at screen 0.08046,0.98346 noenhanced left font ',15'
set label 2 'S1, lossless squeeze: group limit 270 MiB, neighbour 100 MiB' at screen 0.08046,0.95338 noenhanced left font ',13'
set label 3 'own stall, %' at screen 0.01916,0.85038 noenhanced center rotate by 90 font ',11'
set label 4 'memory, MiB' at screen 0.01916,0.72707 noenhanced center rotate by 90 font ',11'
set label 5 'tokens/s' at screen 0.01916,0.60376 noenhanced center rotate by 90 font ',11'
set label 6 'unsqueezed' at screen 0.22414,0.92932 noenhanced center font ',12'
set label 7 '38.5 tok/s, stalled 0.1 %' at screen 0.22414,0.91579 noenhanced center font ',10' tc rgb '#444444'
set label 8 'fixed' at screen 0.52874,0.92932 noenhanced center font ',12'
set label 9 '3.2 tok/s, stalled 41.3 %' at screen 0.52874,0.91579 noenhanced center font ',10' tc rgb '#444444'
set label 10 'psi' at screen 0.83333,0.92932 noenhanced center font ',12'
set label 11 '37.9 tok/s, stalled 0.1 %' at screen 0.83333,0.91579 noenhanced center font ',10' tc rgb '#444444'
set label 12 'S2, below what one conversation needs: group limit 240 MiB, neighbour 100 MiB' at screen 0.08046,0.49173 noenhanced left font ',13'
set label 13 'own stall, %' at screen 0.01916,0.38872 noenhanced center rotate by 90 font ',11'
set label 14 'memory, MiB' at screen 0.01916,0.26541 noenhanced center rotate by 90 font ',11'
set label 15 'tokens/s' at screen 0.01916,0.14211 noenhanced center rotate by 90 font ',11'
set label 16 'fixed' at screen 0.22414,0.46767 noenhanced center font ',12'
set label 17 '4.2 tok/s, stalled 0.1 %' at screen 0.22414,0.45414 noenhanced center font ',10' tc rgb '#444444'
set label 18 'psi' at screen 0.52874,0.46767 noenhanced center font ',12'
set label 19 '27.0 tok/s, stalled 0.1 %' at screen 0.52874,0.45414 noenhanced center font ',10' tc rgb '#444444'
set label 20 '■' at screen 0.08046,0.03158 noenhanced left tc rgb '#b9c0c8'
set label 21 'weights (file)' at screen 0.09579,0.03158 noenhanced left font ',10'
set label 22 '■' at screen 0.18774,0.03158 noenhanced left tc rgb '#0072b2'
set label 23 'KV cache' at screen 0.20307,0.03158 noenhanced left font ',10'
set label 24 '─' at screen 0.26628,0.03158 noenhanced left tc rgb '#56b4e9'
set label 25 'KV on disk' at screen 0.28161,0.03158 noenhanced left font ',10'
set label 26 '■' at screen 0.35441,0.03158 noenhanced left tc rgb '#e69f00'
set label 27 'scratch' at screen 0.36973,0.03158 noenhanced left font ',10'
set label 28 '■' at screen 0.42529,0.03158 noenhanced left tc rgb '#cc79a7'
set label 29 'other' at screen 0.44061,0.03158 noenhanced left font ',10'
set label 30 '╌' at screen 0.48467,0.03158 noenhanced left tc rgb '#000000'
set label 31 'room left' at screen 0.50000,0.03158 noenhanced left font ',10'
set label 32 '▼' at screen 0.56130,0.03158 noenhanced left tc rgb '#000000'
set label 33 'release' at screen 0.57663,0.03158 noenhanced left font ',10'
set label 34 '◆' at screen 0.63218,0.03158 noenhanced left tc rgb '#d50000'
set label 35 'trim' at screen 0.64751,0.03158 noenhanced left font ',10'
set label 36 'Median run of each variant, same axes. Stock llama.cpp: KV as measured at the end, all committed at creation. 2 x Example CPU, kernel 6.18.1.' at screen 0.08046,0.01203 noenhanced left font ',9' tc rgb '#444444'

# 1
set xrange [-4.8:8]
set lmargin at screen 0.08046; set rmargin at screen 0.36782
set tmargin at screen 0.90677; set bmargin at screen 0.79398
set format y '%g'
set format x ''; unset xlabel
set yrange [0:100]; set ytics 25
plot 'plot-S1-unsqueezed-memory.tsv' using 1:2 with filledcurves y1=0 lc rgb '#e8b089' notitle, '' using 1:2 with lines lw 1.5 lc rgb '#d55e00' notitle
unset label
set lmargin at screen 0.38506; set rmargin at screen 0.67241
set tmargin at screen 0.90677; set bmargin at screen 0.79398
set format y ''
set format x ''; unset xlabel
set yrange [0:100]; set ytics 25
plot 'plot-S1-fixed-memory.tsv' using 1:2 with filledcurves y1=0 lc rgb '#e8b089' notitle, '' using 1:2 with lines lw 1.5 lc rgb '#d55e00' notitle
set lmargin at screen 0.68966; set rmargin at screen 0.97701
set tmargin at screen 0.90677; set bmargin at screen 0.79398
set format y ''
set format x ''; unset xlabel
set yrange [0:100]; set ytics 25
plot 'plot-S1-psi-memory.tsv' using 1:2 with filledcurves y1=0 lc rgb '#e8b089' notitle, '' using 1:2 with lines lw 1.5 lc rgb '#d55e00' notitle
set lmargin at screen 0.08046; set rmargin at screen 0.36782
set tmargin at screen 0.78346; set bmargin at screen 0.67068
set format y '%g'
set format x ''; unset xlabel
set yrange [0:400]; set ytics 100
plot 'plot-S1-unsqueezed-memory.tsv' using 1:($3+$4+$5+$6) with filledcurves y1=0 lc rgb '#cc79a7' notitle, '' using 1:($3+$4+$5) with filledcurves y1=0 lc rgb '#e69f00' notitle, '' using 1:($3+$4) with filledcurves y1=0 lc rgb '#0072b2' notitle, '' using 1:3 with filledcurves y1=0 lc rgb '#b9c0c8' notitle, '' using 1:($8>0 ? $8 : NaN) with lines lw 1.8 lc rgb '#56b4e9' notitle
set lmargin at screen 0.38506; set rmargin at screen 0.67241
set tmargin at screen 0.78346; set bmargin at screen 0.67068
set format y ''
set format x ''; unset xlabel
set yrange [0:400]; set ytics 100
plot 'plot-S1-fixed-memory.tsv' using 1:($3+$4+$5+$6) with filledcurves y1=0 lc rgb '#cc79a7' notitle, '' using 1:($3+$4+$5) with filledcurves y1=0 lc rgb '#e69f00' notitle, '' using 1:($3+$4) with filledcurves y1=0 lc rgb '#0072b2' notitle, '' using 1:3 with filledcurves y1=0 lc rgb '#b9c0c8' notitle, '' using 1:($8>0 ? $8 : NaN) with lines lw 1.8 lc rgb '#56b4e9' notitle, 170 with lines lw 1.5 dt 2 lc rgb '#000000' notitle
set lmargin at screen 0.68966; set rmargin at screen 0.97701
set tmargin at screen 0.78346; set bmargin at screen 0.67068
set format y ''
set format x ''; unset xlabel
set yrange [0:400]; set ytics 100
plot 'plot-S1-psi-memory.tsv' using 1:($3+$4+$5+$6) with filledcurves y1=0 lc rgb '#cc79a7' notitle, '' using 1:($3+$4+$5) with filledcurves y1=0 lc rgb '#e69f00' notitle, '' using 1:($3+$4) with filledcurves y1=0 lc rgb '#0072b2' notitle, '' using 1:3 with filledcurves y1=0 lc rgb '#b9c0c8' notitle, '' using 1:($8>0 ? $8 : NaN) with lines lw 1.8 lc rgb '#56b4e9' notitle, 170 with lines lw 1.5 dt 2 lc rgb '#000000' notitle
set lmargin at screen 0.08046; set rmargin at screen 0.36782
set tmargin at screen 0.66015; set bmargin at screen 0.54737
set format y '%g'
set format x '%g'; set xlabel 'seconds of decoding' offset 0,0.4
set yrange [0:50]; set ytics 20
plot 'plot-S1-unsqueezed-tokens.tsv' using 1:2 with histeps lw 1.8 lc rgb '#009e73' notitle
set lmargin at screen 0.38506; set rmargin at screen 0.67241
set tmargin at screen 0.66015; set bmargin at screen 0.54737
set format y ''
set format x '%g'; set xlabel 'seconds of decoding' offset 0,0.4
set yrange [0:50]; set ytics 20
plot 'plot-S1-fixed-tokens.tsv' using 1:2 with histeps lw 1.8 lc rgb '#009e73' notitle
set lmargin at screen 0.68966; set rmargin at screen 0.97701
set tmargin at screen 0.66015; set bmargin at screen 0.54737
set format y ''
set format x '%g'; set xlabel 'seconds of decoding' offset 0,0.4
set yrange [0:50]; set ytics 20
plot 'plot-S1-psi-tokens.tsv' using 1:2 with histeps lw 1.8 lc rgb '#009e73' notitle

# 2
set xrange [-4.8:8]
set lmargin at screen 0.08046; set rmargin at screen 0.36782
set tmargin at screen 0.44511; set bmargin at screen 0.33233
set format y '%g'
set format x ''; unset xlabel
set yrange [0:100]; set ytics 25
plot 'plot-S2-fixed-memory.tsv' using 1:2 with filledcurves y1=0 lc rgb '#e8b089' notitle, '' using 1:2 with lines lw 1.5 lc rgb '#d55e00' notitle
set lmargin at screen 0.38506; set rmargin at screen 0.67241
set tmargin at screen 0.44511; set bmargin at screen 0.33233
set format y ''
set format x ''; unset xlabel
set yrange [0:100]; set ytics 25
plot 'plot-S2-psi-memory.tsv' using 1:2 with filledcurves y1=0 lc rgb '#e8b089' notitle, '' using 1:2 with lines lw 1.5 lc rgb '#d55e00' notitle
set lmargin at screen 0.08046; set rmargin at screen 0.36782
set tmargin at screen 0.32180; set bmargin at screen 0.20902
set format y '%g'
set format x ''; unset xlabel
set yrange [0:400]; set ytics 100
plot 'plot-S2-fixed-memory.tsv' using 1:($3+$4+$5+$6) with filledcurves y1=0 lc rgb '#cc79a7' notitle, '' using 1:($3+$4+$5) with filledcurves y1=0 lc rgb '#e69f00' notitle, '' using 1:($3+$4) with filledcurves y1=0 lc rgb '#0072b2' notitle, '' using 1:3 with filledcurves y1=0 lc rgb '#b9c0c8' notitle, '' using 1:($8>0 ? $8 : NaN) with lines lw 1.8 lc rgb '#56b4e9' notitle, 170 with lines lw 1.5 dt 2 lc rgb '#000000' notitle, 'plot-S2-fixed-actions.tsv' using 1:($2>0 ? 380 : NaN) with points pt 11 ps 0.7 lc rgb '#000000' notitle, 'plot-S2-fixed-actions.tsv' using 1:($3>0 ? 380 : NaN) with points pt 13 ps 1.1 lc rgb '#d50000' notitle
set lmargin at screen 0.38506; set rmargin at screen 0.67241
set tmargin at screen 0.32180; set bmargin at screen 0.20902
set format y ''
set format x ''; unset xlabel
set yrange [0:400]; set ytics 100
plot 'plot-S2-psi-memory.tsv' using 1:($3+$4+$5+$6) with filledcurves y1=0 lc rgb '#cc79a7' notitle, '' using 1:($3+$4+$5) with filledcurves y1=0 lc rgb '#e69f00' notitle, '' using 1:($3+$4) with filledcurves y1=0 lc rgb '#0072b2' notitle, '' using 1:3 with filledcurves y1=0 lc rgb '#b9c0c8' notitle, '' using 1:($8>0 ? $8 : NaN) with lines lw 1.8 lc rgb '#56b4e9' notitle, 170 with lines lw 1.5 dt 2 lc rgb '#000000' notitle, 'plot-S2-psi-actions.tsv' using 1:($2>0 ? 380 : NaN) with points pt 11 ps 0.7 lc rgb '#000000' notitle, 'plot-S2-psi-actions.tsv' using 1:($3>0 ? 380 : NaN) with points pt 13 ps 1.1 lc rgb '#d50000' notitle
set lmargin at screen 0.08046; set rmargin at screen 0.36782
set tmargin at screen 0.19850; set bmargin at screen 0.08571
set format y '%g'
set format x '%g'; set xlabel 'seconds of decoding' offset 0,0.4
set yrange [0:30]; set ytics 10
plot 'plot-S2-fixed-tokens.tsv' using 1:2 with histeps lw 1.8 lc rgb '#009e73' notitle
set lmargin at screen 0.38506; set rmargin at screen 0.67241
set tmargin at screen 0.19850; set bmargin at screen 0.08571
set format y ''
set format x '%g'; set xlabel 'seconds of decoding' offset 0,0.4
set yrange [0:30]; set ytics 10
plot 'plot-S2-psi-tokens.tsv' using 1:2 with histeps lw 1.8 lc rgb '#009e73' notitle

unset multiplot
unset arrow 1
unset label
set output
}
