# Looks at the shop from bash and coreutils and prints what was seen, a question and an answer a line.
# Run twice by the demo, as look.py is. What it writes must land on this machine.
shop=${ROOT-}/srv/shop
tell() { printf '%s\t%s\n' "$1" "$2"; }

tell '$SHOP_SECRET' "$SHOP_SECRET"
tell 'cat motd' "$(cat "$shop/motd")"
tell 'read < motd' "$(read -r line <"$shop/motd"; echo "$line")"
tell 'ls -a orders' "$(ls -a "$shop/orders" | tr '\n' ' ')"
tell "stat -c '%A %s %y' motd" "$(stat -c '%A %s %y' "$shop/motd")"
tell 'cd orders; wc -l *' "$(cd "$shop/orders" && wc -l -- * | tail -n 1 | tr -s ' ')"
tell 'sha256sum stock.bin' "$(sha256sum <"$shop/stock.bin" | cut -c -16)"
tell 'tail -c 4 stock.bin | od' "$(tail -c 4 "$shop/stock.bin" | od -An -tx1)"
tell 'sort orders/* | head -n 1' "$(sort "$shop"/orders/* | head -n 1)"
tell '[ -e nothing-here ]' "$([ -e "$shop/nothing-here" ]; echo "exit code $?")"
cp "$shop/motd" "$OUT/copy"
tell 'cp motd to this machine' "$(cat "$OUT/copy")"
exit 7
