CREATE TABLE IF NOT EXISTS orders (
    id uuid PRIMARY KEY,
    status text NOT NULL DEFAULT 'payment_pending',
    total_cents integer NOT NULL,
    charge text,
    confirmed_at timestamptz
);

CREATE TABLE IF NOT EXISTS order_items (
    order_id uuid NOT NULL REFERENCES orders (id),
    sku text NOT NULL REFERENCES products (sku),
    quantity integer NOT NULL CHECK (quantity > 0),
    price_cents integer NOT NULL,
    PRIMARY KEY (order_id, sku)
);

CREATE TABLE IF NOT EXISTS reservations (
    order_id uuid NOT NULL,
    sku text NOT NULL REFERENCES products (sku),
    quantity integer NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_id, sku)
);
