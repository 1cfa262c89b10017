//! What the venue says of orders, taken into the account.

use super::{Desk, DeskError, DeskState, Outbox};
use crate::domain::{Fill, OrderEvent, RejectReason, Size, Time, lifecycle::transition};
use crate::stage::oms::book::OpenOrder;
use crate::telemetry::record::{FillRow, Notice, OrderRow};
use crate::venue::OrderReport;

impl Desk {
    /// Takes what the venue says of an order.
    ///
    /// # Errors
    /// When the report cannot be true of any order we sent. Nothing is booked then; the caller stops trading.
    pub fn on_report(&mut self, report: OrderReport, out: &mut Outbox) -> Result<(), DeskError> {
        let (id, event, at) = match report {
            OrderReport::Accepted { id, at } => (id, OrderEvent::Accept, at),
            OrderReport::Filled { fill, done: false } => (fill.order, OrderEvent::FillPart, fill.at),
            OrderReport::Filled { fill, done: true } => (fill.order, OrderEvent::FillRest, fill.at),
            OrderReport::Canceled { id, at } => (id, OrderEvent::Cancel, at),
            OrderReport::Expired { id, at } => (id, OrderEvent::Expire, at),
            OrderReport::Rejected { id, at, .. } => (id, OrderEvent::Reject, at),
            OrderReport::Unknown { id, at } => (id, OrderEvent::LoseSight, at),
            OrderReport::Abandoned { id, at } => (id, OrderEvent::Abandon, at),
            OrderReport::Completed { id, at } => (id, OrderEvent::FillRest, at),
            OrderReport::Excess { fill, .. } => {
                self.book_excess(&fill, out);
                return Ok(());
            }
        };
        let open = &mut self.state.book.open;
        let position = open.iter().position(|order| order.intent.id == id).ok_or(DeskError::UnknownOrder(id))?;
        let mut order = open[position];
        order.state = transition(order.state, event).map_err(|bad| DeskError::BadTransition { id, bad })?;
        if let OrderReport::Filled { fill, .. } = report {
            self.fill(&mut order, &fill, out)?;
        }
        if order.state.is_terminal() {
            self.state.book.open.remove(position);
            self.end(&order, at, &report, out);
        } else {
            self.state.book.open[position] = order;
        }
        Ok(())
    }

    fn fill(&mut self, order: &mut OpenOrder, fill: &Fill, out: &mut Outbox) -> Result<(), DeskError> {
        let filled = order.filled + fill.qty;
        if let Size::Base(ordered) = order.intent.size
            && filled > ordered
        {
            return Err(DeskError::Overfill { id: fill.order, filled, ordered });
        }
        order.filled = filled;
        order.filled_notional += fill.notional();
        order.fees += fill.fee;
        self.state.touched = true;
        let book = &mut self.state.book;
        book.apply(fill, order.atr);
        let (cash_after, position_after) = (book.cash, book.holding(fill.symbol).position);
        out.records.fills.push(FillRow { fill: *fill, cash_after, position_after });
        Ok(())
    }

    /// What nobody ordered is held all the same: the account says what is, and whoever calls stops trading.
    fn book_excess(&mut self, fill: &Fill, out: &mut Outbox) {
        self.state.touched = true;
        let book = &mut self.state.book;
        book.apply(fill, None);
        let (cash_after, position_after) = (book.cash, book.holding(fill.symbol).position);
        out.records.fills.push(FillRow { fill: *fill, cash_after, position_after });
        out.records.notices.push(Notice::ExcessFill { order: fill.order, symbol: fill.symbol, at: fill.at, qty: fill.qty });
    }

    fn end(&mut self, order: &OpenOrder, at: Time, report: &OrderReport, out: &mut Outbox) {
        let tally = &mut self.state.book.tally;
        let mut rejected = None;
        match *report {
            OrderReport::Expired { .. } => tally.expired += 1,
            OrderReport::Canceled { .. } => tally.canceled += 1,
            OrderReport::Rejected { id, at, reason } => {
                tally.rejected += 1;
                rejected = Some(reason);
                out.records.notices.push(Notice::OrderRejected { order: id, symbol: order.intent.symbol, at, reason });
            }
            OrderReport::Abandoned { .. } => tally.abandoned += 1,
            OrderReport::Accepted { .. }
            | OrderReport::Filled { .. }
            | OrderReport::Completed { .. }
            | OrderReport::Unknown { .. }
            | OrderReport::Excess { .. } => {}
        }
        out.records.orders.push(order.row(Some(at), rejected));
    }

    /// Rows of the orders that are still open, for a record that is closed now.
    #[must_use]
    pub fn open_orders(&self) -> Vec<OrderRow> {
        self.state.open_orders()
    }
}

impl DeskState {
    /// Rows of the orders that have not ended.
    #[must_use]
    pub fn open_orders(&self) -> Vec<OrderRow> {
        self.book.open.iter().map(|order| order.row(None, None)).collect()
    }
}

impl OpenOrder {
    fn row(&self, ended_at: Option<Time>, rejected: Option<RejectReason>) -> OrderRow {
        OrderRow {
            intent: self.intent,
            state: self.state,
            ended_at,
            filled_qty: self.filled,
            filled_notional: self.filled_notional,
            fees: self.fees,
            denied: None,
            rejected,
        }
    }
}
